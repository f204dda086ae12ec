// Any bytes as a frame of either side: what is read is written and read again alike.
// libraries: fireline_core_portal
// covers: core/portal/frame.cpp
// mutator: json
#include "core/portal/frame.h"

#include <cstdint>
#include <cstdlib>

using namespace fireline::portal;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void check_server_frame(std::string_view input) {
  const auto frame = read_server_frame(input);
  if (!frame) return;
  if (const auto* reply = std::get_if<Reply>(&*frame)) {
    const auto again = read_server_frame(reply->ok ? write_ok("client", reply->ref)
                                                   : write_error("client", reply->ref, reply->reason));
    require(again && std::get<Reply>(*again).ref == reply->ref && std::get<Reply>(*again).ok == reply->ok &&
            std::get<Reply>(*again).reason == reply->reason);
  } else if (const auto* push = std::get_if<Push>(&*frame)) {
    const auto again = read_server_frame(write_push("client", push->event, push->payload));
    require(again && std::get<Push>(*again).event == push->event && std::get<Push>(*again).payload == push->payload);
  }
}

void check_program_frame(std::string_view input) {
  const auto frame = read_program_frame(input);
  if (!frame) return;
  const auto again = read_program_frame(write_frame(frame->topic, frame->event, frame->payload, 7));
  require(again && again->topic == frame->topic && again->event == frame->event && again->payload == frame->payload &&
          again->ref == 7u);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_server_frame(input);
  check_program_frame(input);
  return 0;
}
