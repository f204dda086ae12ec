#include "tools/bench/iperf_output.h"

#include <simdjson.h>

namespace fireline::bench {

Result<TcpResult, std::string> read_iperf(std::string_view text) {
  std::size_t start = text.starts_with('{') ? 0 : text.find("\n{");
  if (start == std::string_view::npos) return err(std::string("iperf3 printed no JSON"));
  if (start != 0) ++start;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(simdjson::padded_string(text.substr(start))).get(root) != simdjson::SUCCESS) {
    return err(std::string("iperf3 printed broken JSON"));
  }
  std::string_view message;
  if (root["error"].get(message) == simdjson::SUCCESS) return err("iperf3: " + std::string(message));
  TcpResult result;
  const auto received = root["end"]["sum_received"];
  if (received["bits_per_second"].get(result.bits_per_second) != simdjson::SUCCESS ||
      received["bytes"].get(result.bytes) != simdjson::SUCCESS) {
    return err(std::string("iperf3's JSON has no end.sum_received"));
  }
  if (root["end"]["sum_sent"]["retransmits"].get(result.retransmits) != simdjson::SUCCESS) result.retransmits = 0;
  return result;
}

}  // namespace fireline::bench
