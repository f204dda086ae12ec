#include "tools/bench/swallow.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace fireline::bench {
namespace {

constexpr std::uint32_t kTcxEgress = 47;  // BPF_TCX_EGRESS; Debian 12's header is older

int bpf_call(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

}  // namespace

io::FileDescriptor swallow_egress(unsigned interface_index) {
  static const char kLicense[] = "GPL";
  std::array<bpf_insn, 2> program{};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = TC_ACT_STOLEN
  program[0].dst_reg = BPF_REG_0;
  program[0].imm = TC_ACT_STOLEN;
  program[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  load.insns = reinterpret_cast<std::uintptr_t>(program.data());
  load.insn_cnt = program.size();
  load.license = reinterpret_cast<std::uintptr_t>(kLicense);
  const io::FileDescriptor loaded(bpf_call(BPF_PROG_LOAD, load));
  if (!loaded) return {};
  bpf_attr link{};
  link.link_create.prog_fd = static_cast<std::uint32_t>(loaded.get());
  link.link_create.target_ifindex = interface_index;
  link.link_create.attach_type = kTcxEgress;
  return io::FileDescriptor(bpf_call(BPF_LINK_CREATE, link));
}

}  // namespace fireline::bench
