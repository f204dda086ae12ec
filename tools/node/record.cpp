#include "tools/node/record.h"

#include <nlohmann/json.hpp>

#include "tools/node/json_reader.h"

namespace fireline::lab {
namespace {

nlohmann::json to_json(const ice::Credentials& credentials) {
  return {{"username", std::string(credentials.ufrag())}, {"password", std::string(credentials.password())}};
}

std::optional<Intent> read_intent(const JsonReader& reader) {
  const auto credentials_of = [](const JsonReader& end) {
    return ice::Credentials::make(end.text("username"), end.text("password"));
  };
  const auto key = crypto::PublicKey::from_hex(reader.text("key"));
  const auto client = credentials_of(reader.member("client"));
  const auto gateway = credentials_of(reader.member("gateway"));
  if (!key || !client || !gateway) {
    reader.fail({}, "has no key of 64 hex digits, or no ICE credentials");
    return std::nullopt;
  }
  return Intent{.client_key = *key, .client = *client, .gateway = *gateway};
}

}  // namespace

std::string to_line(const Record& record) {
  nlohmann::json json{{"session", record.session}};
  if (record.connect) {
    json["connect"] = {{"key", record.connect->client_key.to_hex()},
                       {"client", to_json(record.connect->client)},
                       {"gateway", to_json(record.connect->gateway)}};
  }
  if (!record.candidates.empty()) json["candidates"] = record.candidates;
  if (!record.invalidated.empty()) json["invalidated"] = record.invalidated;
  return json.dump() + '\n';
}

Result<Record, std::string> parse_record(std::string_view line) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(line.data(), line.size()).get(root)) {
    return err(std::string(simdjson::error_message(error)));
  }
  std::string wrong;
  const JsonReader reader(root, "", wrong);
  Record record{.session = reader.text("session"),
                .connect = {},
                .candidates = reader.texts("candidates"),
                .invalidated = reader.texts("invalidated")};
  simdjson::dom::element connect;
  if (root["connect"].get(connect) == simdjson::SUCCESS) record.connect = read_intent(reader.member("connect"));
  if (!wrong.empty()) return err(wrong);
  return record;
}

}  // namespace fireline::lab
