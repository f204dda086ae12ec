// The program around the device: start, end, and what the person is told. Each case runs in a process of its own,
// because the program forks, changes its streams and owns its signals.
#include "tools/wg/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "io/http.h"
#include "tests/unit/io/temporary_directory.h"
#include "tests/unit/tools/wg/fake_backend.h"

namespace fireline::wg {
namespace {

using ::testing::HasSubstr;

// A TUN interface with nothing behind it.
class TunBackend final : public WgBackend {
 public:
  static Result<std::unique_ptr<WgBackend>, std::string> make(const Options& options, io::EventLoop&,
                                                              std::move_only_function<void()>) {
    auto backend = std::make_unique<TunBackend>();
    backend->inner_ = std::make_unique<FakeBackend>(options.interface_name);
    backend->tun_ = io::FileDescriptor(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    options.interface_name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(backend->tun_.get(), TUNSETIFF, &request) != 0) return err(std::string("cannot create the interface"));
    return backend;
  }
  std::optional<UapiError> apply(const wireguard::DeviceUpdate& update) override { return inner_->apply(update); }
  InterfaceStatus status() override { return inner_->status(); }
  StatusReport report() override {
    auto report = inner_->report();
    for (const auto& call : inner_->link_calls) report.counters.push_back({call, 1});
    return report;
  }
  void link_up() override { inner_->link_up(); }
  void link_down() override { inner_->link_down(); }
  void mtu_changed(std::uint16_t mtu) override { inner_->mtu_changed(mtu); }
  const std::string& interface_name() const override { return inner_->interface_name(); }

 private:
  std::unique_ptr<FakeBackend> inner_;
  io::FileDescriptor tun_;
};

struct Ended {
  int code = -1;       // 128 + signal when a signal ended it
  std::string output;  // both streams
};

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The child of this test process with both streams in a pipe; reads to their end and waits.
template <class Body>
Ended in_child(Body body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(ends[1]);
  Ended ended;
  char chunk[512];
  for (auto bytes = ::read(ends[0], chunk, sizeof(chunk)); bytes > 0; bytes = ::read(ends[0], chunk, sizeof(chunk))) {
    ended.output.append(chunk, static_cast<std::size_t>(bytes));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ended.code = code_of(status);
  return ended;
}

// As main() does after the options, but with what a real program does not take as a parameter.
int background(std::move_only_function<int(StartNotice)> child) {
  auto fork = fork_to_background();
  if (!fork) return 99;
  if (fork->parent) {
    fmt::print(stderr, "{}", fork->parent->sentence);
    return fork->parent->code;
  }
  ::_exit(child(std::move(fork->notice)));
}

TEST(Daemonize, TheParentReturnsWhenTheChildIsReady) {
  const io::TemporaryDirectory directory;
  const auto mark = directory.path() + "/mark";
  const auto ended = in_child([&] {
    return background([&](StartNotice notice) {
      std::ofstream(mark) << ::getsid(0) - ::getpid() << " " << std::filesystem::current_path().string() << " "
                          << std::filesystem::read_symlink("/proc/self/fd/0").string() << " "
                          << std::filesystem::read_symlink("/proc/self/fd/1").string() << " "
                          << std::filesystem::read_symlink("/proc/self/fd/2").string();
      notice.ready();
      return 0;
    });
  });
  // in_child read to the end of the streams: the child does not hold them.
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.output, "");
  std::string text;
  std::getline(std::ifstream(mark), text);
  EXPECT_EQ(text, "0 / /dev/null /dev/null /dev/null") << "session, directory, streams";
}

TEST(Daemonize, TheParentTellsWhyTheChildFailed) {
  const auto ended = in_child([] {
    return background([](StartNotice notice) {
      notice.failed("the reason");
      return 1;
    });
  });
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.output, "the reason");
}

TEST(Daemonize, TheParentNoticesAChildThatDies) {
  const auto killed = in_child([] {
    return background([](StartNotice) {
      ::raise(SIGKILL);
      return 0;
    });
  });
  EXPECT_EQ(killed.code, 1);
  EXPECT_THAT(killed.output, HasSubstr("ended during its start by signal 9"));
  const auto silent = in_child([] { return background([](StartNotice) { return 0; }); });
  EXPECT_EQ(silent.code, 1);
  EXPECT_THAT(silent.output, HasSubstr("run with -f to see why"));
}

TEST(Daemonize, InheritedDescriptorsAreClosed) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const io::TemporaryDirectory directory;
  const auto pid_file = directory.path() + "/pid";
  const auto ended = in_child([&] {
    ::close(ends[0]);
    return background([&](StartNotice notice) {
      std::ofstream(pid_file) << ::getpid();
      notice.ready();
      ::pause();  // until the test ends it
      return 0;
    });
  });
  ::close(ends[1]);
  EXPECT_EQ(ended.code, 0);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0) << "the end of the pipe comes although the background process lives";
  pid_t daemon = 0;
  std::ifstream(pid_file) >> daemon;
  ASSERT_GT(daemon, 1);
  EXPECT_EQ(::kill(daemon, SIGKILL), 0);
  ::close(ends[0]);
}

// One run of the program in the foreground with a real interface of an odd name, in directories of the test's own.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.interface_name = "flpt" + std::to_string(::getpid() % 1'000'000);
    options_.foreground = true;
    options_.mtu = 1500;  // what TunBackend's interface has
    if (::access("/dev/net/tun", W_OK) != 0 || ::geteuid() != 0) GTEST_SKIP() << "needs root and /dev/net/tun";
  }
  void TearDown() override {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  // Waits for the program to be ready or to have failed; its sentence then.
  std::string start(BackendFactory factory = &TunBackend::make) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      spdlog_off();
      ::_exit(run_program(options_, StartNotice(io::FileDescriptor(ends[1])), std::move(factory),
                          std::move(platform::LinkSocket::open().value()), platform::ServiceNotify(""), directories_));
    }
    ::close(ends[1]);
    std::string verdict;
    char chunk[512];
    for (auto bytes = ::read(ends[0], chunk, sizeof(chunk)); bytes > 0; bytes = ::read(ends[0], chunk, sizeof(chunk))) {
      verdict.append(chunk, static_cast<std::size_t>(bytes));
    }
    ::close(ends[0]);
    return verdict == "R" ? "" : verdict.substr(std::min<std::size_t>(1, verdict.size()));
  }
  int wait_for_end() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    return code_of(status);
  }
  std::string uapi_path() const { return socket_path(directories_.uapi, options_.interface_name); }
  bool anything_left() const {
    return std::filesystem::exists(uapi_path()) ||
           std::filesystem::exists(socket_path(directories_.status, options_.interface_name)) ||
           ::if_nametoindex(options_.interface_name.c_str()) != 0;
  }
  void change_interface(unsigned long what, auto set) const {
    const io::FileDescriptor control(::socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request{};
    options_.interface_name.copy(request.ifr_name, IFNAMSIZ - 1);
    set(request);
    ASSERT_EQ(::ioctl(control.get(), what, &request), 0) << std::strerror(errno);
  }

  io::TemporaryDirectory directory_;
  Directories directories_{directory_.path() + "/uapi", directory_.path() + "/status"};
  Options options_;
  pid_t child_ = 0;

 private:
  static void spdlog_off();
};

TEST_F(ProgramTest, EverythingIsThereWhenItIsReadyAndGoneWhenItEnds) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ASSERT_EQ(start(), "");
    EXPECT_TRUE(std::filesystem::exists(uapi_path()));
    EXPECT_NE(::if_nametoindex(options_.interface_name.c_str()), 0u);
    const auto status = fetch_status(options_.interface_name, true, directories_.status);
    ASSERT_TRUE(status) << status.error();
    EXPECT_THAT(*status, HasSubstr("\"interface\": \"" + options_.interface_name + "\""));
    ASSERT_EQ(::kill(child_, SIGHUP), 0) << "changes nothing";
    ASSERT_EQ(::kill(child_, signal), 0);
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_FALSE(anything_left());
  }
}

TEST_F(ProgramTest, RemovalOfTheSocketEndsIt) {
  ASSERT_EQ(start(), "");
  std::filesystem::remove(uapi_path());
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_FALSE(anything_left());
}

TEST_F(ProgramTest, ASecondOneIsToldThatTheNameIsTaken) {
  ASSERT_EQ(start(), "");
  const auto first = std::exchange(child_, 0);
  EXPECT_EQ(start(), "cannot create the interface") << "the kernel's word is the first";
  EXPECT_EQ(wait_for_end(), 1);
  EXPECT_TRUE(std::filesystem::exists(uapi_path())) << "the first one is not disturbed";
  child_ = first;
  ::kill(child_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(ProgramTest, ALivingSocketKeepsTheNameTaken) {
  const auto living = io::UnixListener::listen(uapi_path(), 0600);
  ASSERT_TRUE(living);
  EXPECT_THAT(start(), HasSubstr("another process serves this name"));
  EXPECT_EQ(wait_for_end(), 1);
  EXPECT_TRUE(living->is_in_place());
  EXPECT_EQ(::if_nametoindex(options_.interface_name.c_str()), 0u) << "its interface does not stay";
}

TEST_F(ProgramTest, ATakenMetricsPortIsNamed) {
  auto loop = io::EventLoop::make().value();
  const auto taken = io::HttpServer::listen(*loop, *Endpoint::parse("127.0.0.1:0"),
                                            [](std::string_view) { return io::HttpResponse(); });
  ASSERT_TRUE(taken);
  options_.metrics = (*taken)->endpoint();
  EXPECT_EQ(start(), "cannot serve metrics on " + options_.metrics->to_string() +
                         ": Address already in use: another process listens there: choose another port");
  EXPECT_EQ(wait_for_end(), 1);
  EXPECT_FALSE(anything_left());
}

TEST_F(ProgramTest, TheBackendHearsOfItsInterface) {
  ASSERT_EQ(start(), "");
  change_interface(SIOCSIFMTU, [](ifreq& request) { request.ifr_mtu = 1280; });
  change_interface(SIOCSIFFLAGS, [](ifreq& request) { request.ifr_flags = IFF_UP; });
  // The status is asked on the same thread that hears of the change: ask until it has.
  std::string status;
  for (int i = 0; i < 1000 && status.find("\"up\": 1") == std::string::npos; ++i) {
    status = fetch_status(options_.interface_name, true, directories_.status).value_or("");
  }
  EXPECT_THAT(status, HasSubstr("\"mtu 1280\": 1"));
  EXPECT_THAT(status, HasSubstr("\"up\": 1"));
}

// As in a network namespace that is removed with the interface in it, of which nobody is told.
TEST_F(ProgramTest, ADeviceThatIsGoneEndsIt) {
  std::move_only_function<void()> report;
  ASSERT_EQ(start([&report](const Options& options, io::EventLoop& loop, auto removed) {
              report = std::move(removed);
              (void)loop.after(std::chrono::milliseconds(1), [&report] { report(); });
              return TunBackend::make(options, loop, nullptr);
            }),
            "");
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_FALSE(anything_left());
}

void ProgramTest::spdlog_off() {
  ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
}

TEST(RunCommand, EndsWithOneAndASentenceForBadOptions) {
  const auto ended = in_child([] {
    const char* arguments[] = {"fireline-wg", "--threads", "many", "wg0"};
    return run_command(4, arguments, &TunBackend::make);
  });
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.output, "fireline-wg: --threads cannot be \"many\": use one of split, direct, fused, auto\n");
}

TEST(RunCommand, PrintsTheVersion) {
  const auto ended = in_child([] {
    const char* arguments[] = {"fireline-wg", "--version"};
    return run_command(2, arguments, &TunBackend::make);
  });
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.output, "fireline-wg " FIRELINE_VERSION "\n");
}

}  // namespace
}  // namespace fireline::wg
