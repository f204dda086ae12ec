#include "io/loud_filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

#include "core/base/wire.h"

namespace fireline::io {
namespace {

// Where the address is in the IP header, behind SKF_NET_OFF, and in how many words.
constexpr std::uint32_t kSourceV4 = 12;
constexpr std::uint32_t kSourceV6 = 8;
constexpr std::uint32_t kNextHeaderV6 = 6;
constexpr std::uint32_t kHeaderBytesV6 = 40;
constexpr std::size_t kWordsV4 = 1;
constexpr std::size_t kWordsV6 = 4;
// The program's memory: the address's words, then
constexpr std::uint32_t kPort = 4;
constexpr std::uint32_t kChannel = 5;

constexpr std::uint32_t net(std::uint32_t offset) noexcept {
  return static_cast<std::uint32_t>(SKF_NET_OFF) + offset;
}

class Program {
 public:
  explicit Program(Family family) noexcept : v4_(family == Family::v4) {}

  void sort_out_what_is_no_data();
  void remember_source();
  void name(const packet::Sender& sender);
  [[nodiscard]] std::vector<sock_filter> finish() {
    answer(kFirstQueue);
    return std::move(code_);
  }

 private:
  void add(unsigned code, std::uint32_t k) { code_.push_back({static_cast<std::uint16_t>(code), 0, 0, k}); }
  void load_byte(std::uint32_t offset) { add(BPF_LD | BPF_B | BPF_ABS, offset); }
  void load_half(std::uint32_t offset) { add(BPF_LD | BPF_H | BPF_ABS, offset); }
  void load_word(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void recall(std::uint32_t place) { add(BPF_LD | BPF_MEM, place); }
  void keep(std::uint32_t place) { add(BPF_ST, place); }
  void answer(std::uint32_t queue) { add(BPF_RET | BPF_K, queue); }
  // Skips the next instructions, as many as said, when A is `value`; else goes on with the next one.
  void skip_if(std::uint32_t value, std::size_t count) {
    code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint8_t>(count), 0, value});
  }
  // Goes on when A is `value`; else skips.
  void skip_unless(std::uint32_t value, std::size_t count) {
    code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, static_cast<std::uint8_t>(count), value});
  }

  bool v4_;
  std::vector<sock_filter> code_;
};

// Leaves the channel, or 0, in its place.
void Program::sort_out_what_is_no_data() {
  constexpr auto kData = std::to_integer<std::uint32_t>(packet::kTransportDataType);
  load_byte(0);
  skip_unless(kData, 2);
  add(BPF_LD | BPF_IMM, 0);
  add(BPF_JMP | BPF_JA, 7);
  add(BPF_ALU | BPF_AND | BPF_K, std::to_integer<std::uint32_t>(packet::kChannelMask));
  skip_if(std::to_integer<std::uint32_t>(packet::kChannelFirst), 1);
  answer(kFirstQueue);
  load_byte(packet::kChannelHeaderBytes);
  skip_if(kData, 1);
  answer(kFirstQueue);
  load_half(0);
  keep(kChannel);
}

void Program::remember_source() {
  if (v4_) {
    load_word(net(kSourceV4));
    keep(0);
    add(BPF_LDX | BPF_B | BPF_MSH, net(0));  // X: the header's length, with its options
    add(BPF_LD | BPF_H | BPF_IND, net(0));
    keep(kPort);
    return;
  }
  load_byte(net(kNextHeaderV6));
  skip_if(IPPROTO_UDP, 1);
  answer(kFirstQueue);
  for (std::uint32_t word = 0; word < kWordsV6; ++word) {
    load_word(net(kSourceV6 + 4 * word));
    keep(word);
  }
  load_half(net(kHeaderBytesV6));
  keep(kPort);
}

// Its port tells a sender apart soonest.
void Program::name(const packet::Sender& sender) {
  const auto address = sender.endpoint.address.bytes();
  const std::size_t words = v4_ ? kWordsV4 : kWordsV6;
  std::size_t left = 2 * (words + 2) + 1;  // instructions behind the comparison's load
  const auto compare = [&](std::uint32_t place, std::uint32_t value) {
    left -= 2;
    recall(place);
    skip_unless(value, left);
  };
  compare(kPort, sender.endpoint.port);
  for (std::uint32_t word = 0; word < words; ++word) compare(word, load_be32(address, std::size_t{4} * word));
  compare(kChannel, sender.channel);
  answer(kLoudQueue);
}

}  // namespace

std::vector<sock_filter> make_loud_filter(Family family, std::span<const packet::Sender> loud) {
  Program program(family);
  if (!loud.empty()) {
    program.sort_out_what_is_no_data();
    program.remember_source();
  }
  for (const packet::Sender& sender : loud) {
    if (sender.endpoint.address.family() == family) program.name(sender);
  }
  return program.finish();
}

std::optional<IoError> attach_loud_filter(int socket, Family family, std::span<const packet::Sender> loud) {
  auto code = make_loud_filter(family, loud);
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0) return std::nullopt;
  return last_error("sort the datagrams of", "a UDP socket");
}

}  // namespace fireline::io
