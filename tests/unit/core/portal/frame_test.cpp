// Portal specification 1.8, 1.11 and the receiver tests of 11.
#include "core/portal/frame.h"

#include <gtest/gtest.h>

#include "core/portal/relay_codec.h"

namespace fireline::portal {
namespace {

// One line for what was read, so that rows can say it.
std::string read(std::string_view text) {
  const auto frame = read_server_frame(text);
  if (!frame) {
    switch (frame.error()) {
      case FrameError::too_large:
        return "too large";
      case FrameError::not_json:
        return "not json";
      case FrameError::bad_shape:
        return "bad shape";
      case FrameError::unknown:
        return "unknown";
    }
  }
  if (const auto* reply = std::get_if<Reply>(&*frame)) {
    return std::to_string(reply->ref) + (reply->ok ? " ok" : " error " + reply->reason);
  }
  if (const auto* push = std::get_if<Push>(&*frame)) return push->event + " " + push->payload;
  if (std::holds_alternative<ChannelError>(*frame)) return "channel error";
  return std::holds_alternative<ChannelClosed>(*frame) ? "channel closed" : "token expired";
}

TEST(Frame, WhatServersSend) {
  struct Row {
    const char* rule;
    const char* text;
    const char* read;
  };
  const Row rows[] = {
      {"a join is accepted",
       R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":0,"topic":"client"})", "0 ok"},
      {"an ok counts by its status",
       R"({"event":"phx_reply","payload":{"response":null,"status":"ok"},"ref":0,"topic":"c"})", "0 ok"},
      {"an error has a reason",
       R"({"event":"phx_reply","payload":{"response":{"reason":"unmatched topic"},"status":"error"},"ref":7,"topic":"c"})",
       "7 error unmatched topic"},
      {"an error without one is dropped",
       R"({"event":"phx_reply","payload":{"response":{},"status":"error"},"ref":7,"topic":"c"})", "bad shape"},
      {"the largest ref", R"({"event":"phx_reply","payload":{"status":"ok"},"ref":18446744073709551615,"topic":"c"})",
       "18446744073709551615 ok"},
      {"a ref is a number",
       R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"0","topic":"client"})", "bad shape"},
      {"not a negative one", R"({"event":"phx_reply","payload":{"status":"ok"},"ref":-1,"topic":"c"})", "bad shape"},
      {"a reply has a ref", R"({"event":"phx_reply","payload":{"status":"ok"},"ref":null,"topic":"c"})", "bad shape"},
      {"a status is ok or error", R"({"event":"phx_reply","payload":{"status":"fine"},"ref":1,"topic":"c"})",
       "bad shape"},
      {"a status must be there", R"({"event":"phx_reply","payload":{},"ref":1,"topic":"c"})", "bad shape"},
      {"a crash", R"({"event":"phx_error","payload":{},"ref":null,"topic":"gateway"})", "channel error"},
      {"an end", R"({"event":"phx_close","payload":{},"ref":null,"topic":"gateway"})", "channel closed"},
      {"an end says what it likes", R"({"event":"phx_close","topic":"gateway"})", "channel closed"},
      {"the token expired", R"({"event":"disconnect","payload":{"reason":"token_expired"},"ref":null,"topic":"relay"})",
       "token expired"},
      {"another reason is ignored", R"({"event":"disconnect","payload":{"reason":"tea"},"ref":null,"topic":"relay"})",
       "unknown"},
      {"no reason is none", R"({"event":"disconnect","payload":null,"ref":null,"topic":"relay"})", "bad shape"},
      {"a push", R"({"event":"init","payload":{"a":[1,"\"b"]},"ref":null,"topic":"client"})",
       R"(init {"a":[1,"\"b"]})"},
      {"keys in any order, unknown ones ignored, ref absent",
       R"({"x":1,"topic":"client","join_ref":"9","payload":"id","event":"e"})", R"(e "id")"},
      {"the topic of a push is not looked at", R"({"event":"e","payload":null,"topic":"other"})", "e null"},
      {"cut off", R"({"topic":"client")", "not json"},
      {"nothing at all", "", "not json"},
      {"malformed", R"({"topic":})", "not json"},
      {"not UTF-8", "{\"topic\":\"\xff\"}", "not json"},
      {"a topic must be there", R"({"event":"e","payload":{}})", "bad shape"},
      {"an event must be there", R"({"topic":"client","payload":{}})", "bad shape"},
      {"a payload must be there", R"({"topic":"client","event":"e"})", "bad shape"},
      {"a topic is text", R"({"topic":1,"event":"e","payload":{}})", "bad shape"},
      {"an array is no frame", R"([null,"0","client","phx_reply",{}])", "bad shape"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(read(row.text), row.read);
  }
  EXPECT_EQ(read(std::string(kFrameBytesMax + 1, ' ')), "too large");
}

TEST(Frame, WhatProgramsSend) {
  EXPECT_EQ(write_frame("client", "phx_join", "null", 0),
            R"({"topic":"client","event":"phx_join","payload":null,"ref":0})");
  EXPECT_EQ(write_frame("relay", "phx_join", write_relay_join("9f").view(), 0),
            R"({"topic":"relay","event":"phx_join","payload":{"stamp_secret":"9f"},"ref":0})");
  EXPECT_EQ(write_frame("phoenix", "heartbeat", "{}", 1),
            R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":1})");
  EXPECT_EQ(write_frame("a\"\n\xff", "e", "{}", 1),
            "{\"topic\":\"a\\\"\\n\xEF\xBF\xBD\",\"event\":\"e\",\"payload\":{},\"ref\":1}");
}

TEST(Frame, WhatServersWrite) {
  EXPECT_EQ(write_ok("client", 0),
            R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":0,"topic":"client"})");
  EXPECT_EQ(
      write_error("client", 7, "unmatched topic"),
      R"({"event":"phx_reply","payload":{"response":{"reason":"unmatched topic"},"status":"error"},"ref":7,"topic":"client"})");
  EXPECT_EQ(write_push("gateway", "phx_error", "{}"),
            R"({"event":"phx_error","payload":{},"ref":null,"topic":"gateway"})");
  EXPECT_EQ(read(write_error("client", 7, "a \"b\"")), "7 error a \"b\"");
  EXPECT_EQ(write_ok("client", std::nullopt),
            R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":null,"topic":"client"})");
}

TEST(Frame, WhatServersRead) {
  const auto frame =
      read_program_frame(R"({"topic":"gateway","event":"flow_authorized","payload":{"ref":"c2ln"},"ref":4})");
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->topic, "gateway");
  EXPECT_EQ(frame->event, "flow_authorized");
  EXPECT_EQ(frame->payload, R"({"ref":"c2ln"})");
  EXPECT_EQ(frame->ref, 4u);
  struct Row {
    const char* rule;
    const char* text;
    FrameError error;
  };
  const Row rows[] = {
      {"cut off", R"({"topic":"gateway")", FrameError::not_json},
      {"without topic", R"({"event":"e","payload":{},"ref":1})", FrameError::bad_shape},
      {"without event", R"({"topic":"e","payload":{},"ref":1})", FrameError::bad_shape},
      {"without payload", R"({"topic":"t","event":"e","ref":1})", FrameError::bad_shape},
      {"without ref", R"({"topic":"t","event":"e","payload":{}})", FrameError::bad_shape},
      {"with text as ref", R"({"topic":"t","event":"e","payload":{},"ref":"1"})", FrameError::bad_shape},
      {"a number", "1", FrameError::bad_shape},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto read = read_program_frame(row.text);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error(), row.error);
  }
  EXPECT_FALSE(read_program_frame(R"({"topic":"t","event":"e","payload":{},"ref":null})")->ref.has_value());
  EXPECT_EQ(read_program_frame(std::string(kFrameBytesMax + 1, ' ')).error(), FrameError::too_large);
}

TEST(RelayCodec, JoinAndInit) {
  EXPECT_EQ(read_relay_join(R"({"stamp_secret":"9f"})")->view(), "9f");
  for (const char* wrong : {"null", "{", R"({"stamp_secret":1})", R"({"stamp_secret":""})", "[]"}) {
    EXPECT_FALSE(read_relay_join(wrong).has_value()) << wrong;
  }
  const std::string longer(kStampSecretBytesMax + 1, 'f');
  EXPECT_FALSE(read_relay_join(write_relay_join(longer).view()).has_value());
  EXPECT_TRUE(is_relay_init("init", "{}"));
  EXPECT_TRUE(is_relay_init("init", R"({"x":1})"));
  EXPECT_FALSE(is_relay_init("init", "null"));
  EXPECT_FALSE(is_relay_init("init", "{"));
  EXPECT_FALSE(is_relay_init("exit", "{}"));
}

}  // namespace
}  // namespace fireline::portal
