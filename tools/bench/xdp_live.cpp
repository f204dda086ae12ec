#include "tools/bench/xdp_live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "bpf/bench.skel.h"
#include "io/file_descriptor.h"

namespace fireline::bench {
namespace {

constexpr std::size_t kTemplateBytes = 72;  // as in bpf/bench.bpf.c
constexpr std::uint32_t kBatchFrames = 64;  // what a driver polls at once

std::string failure(const char* what, int code) {
  return std::string("cannot ") + what + ": " + std::strerror(code);
}

}  // namespace

struct XdpLive::State {
  bench_bpf* skeleton = nullptr;
  io::FileDescriptor far_end;  // the link of the swallowing program
  std::uint32_t interface = 0;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { bench_bpf__destroy(skeleton); }
};

XdpLive::XdpLive(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
XdpLive::XdpLive(XdpLive&&) noexcept = default;
XdpLive& XdpLive::operator=(XdpLive&&) noexcept = default;
XdpLive::~XdpLive() = default;

Result<XdpLive, std::string> XdpLive::make() {
  if (std::system("ip link add xdp0 type veth peer name xdp1 && ip link set xdp0 up && ip link set xdp1 up") != 0) {
    return err(std::string("cannot make a veth pair: is this root?"));
  }
  auto state = std::make_unique<State>();
  state->interface = ::if_nametoindex("xdp0");
  state->skeleton = bench_bpf__open_and_load();
  if (state->skeleton == nullptr) return err(failure("load the benchmark's XDP programs", errno));
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = XDP_FLAGS_DRV_MODE;
  const int link = bpf_link_create(bpf_program__fd(state->skeleton->progs.swallow),
                                   static_cast<int>(::if_nametoindex("xdp1")), BPF_XDP, &options);
  if (link < 0) return err(failure("attach an XDP program to a veth", -link));
  state->far_end = io::FileDescriptor(link);
  return XdpLive(std::move(state));
}

int XdpLive::empty_fd() const noexcept {
  return bpf_program__fd(state_->skeleton->progs.empty);
}

int XdpLive::swap_fd() const noexcept {
  return bpf_program__fd(state_->skeleton->progs.swap);
}

Result<double, std::string> XdpLive::run(int program, std::span<const FrameBytes> frames, int repeat) {
  bench_bpf& skeleton = *state_->skeleton;
  const std::uint32_t zero = 0;
  if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.measured), &zero, &program, BPF_ANY) != 0) {
    return err(std::string("cannot chain the measured program"));
  }
  for (std::uint32_t i = 0; i < frames.size(); ++i) {
    if (frames[i].size() < kTemplateBytes || frames[i].size() != frames.front().size()) {
      return err(std::string("live frames differ in length or are too short"));
    }
    if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.templates), &i, frames[i].data(), BPF_ANY) != 0) {
      return err(std::string("too many frames for the benchmark's map"));
    }
  }
  skeleton.bss->next_template = 0;
  skeleton.data->templates_used = static_cast<std::uint32_t>(frames.size());
  const std::uint64_t before = skeleton.bss->swallowed;

  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frames.front().size());
  context.ingress_ifindex = state_->interface;
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frames.front().data();
  options.data_size_in = static_cast<std::uint32_t>(frames.front().size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  options.repeat = repeat;
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = kBatchFrames;
  if (const int failed = bpf_prog_test_run_opts(bpf_program__fd(skeleton.progs.restore), &options); failed != 0) {
    return err(failure("send live frames", -failed));
  }
  const std::uint64_t arrived = skeleton.bss->swallowed - before;
  if (arrived < static_cast<std::uint64_t>(repeat)) {
    return err("of " + std::to_string(repeat) + " live frames only " + std::to_string(arrived) + " arrived");
  }
  return static_cast<double>(options.duration);
}

}  // namespace fireline::bench
