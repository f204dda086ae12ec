#include "platform/linux/service_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "io/file_descriptor.h"
#include "tests/unit/io/temporary_directory.h"

namespace fireline::platform {
namespace {

// A service manager's end; '@' stands for the zero byte of an abstract name.
class Manager {
 public:
  explicit Manager(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0) << std::strerror(errno);
  }
  std::string next() {
    char bytes[256];
    const ssize_t count = ::recv(socket_.get(), bytes, sizeof(bytes), 0);
    return count < 0 ? "nothing" : std::string(bytes, static_cast<std::size_t>(count));
  }

 private:
  io::FileDescriptor socket_;
};

TEST(ServiceNotify, TellsStatesOneByOneOverAPathAndAnAbstractName) {
  const io::TemporaryDirectory directory;
  for (const std::string& name : {directory.path() + "/notify", "@fireline-notify-" + std::to_string(::getpid())}) {
    SCOPED_TRACE(name);
    Manager manager(name);
    ASSERT_EQ(::setenv("NOTIFY_SOCKET", name.c_str(), 1), 0);
    const auto notify = ServiceNotify::take_environment();
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "no child speaks in our name";
    EXPECT_TRUE(notify.active());
    EXPECT_EQ(manager.next(), "nothing") << "not before the tunnel is usable";
    EXPECT_FALSE(notify.ready());
    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_FALSE(notify.status("3 resources\nREADY=1"));
    EXPECT_EQ(manager.next(), "STATUS=3 resources") << "one line";
    EXPECT_FALSE(notify.reloading());
    EXPECT_THAT(manager.next(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
    EXPECT_FALSE(notify.stopping());
    EXPECT_EQ(manager.next(), "STOPPING=1");
  }
}

TEST(ServiceNotify, WithoutAManagerItDoesNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  const auto notify = ServiceNotify::take_environment();
  EXPECT_FALSE(notify.active());
  EXPECT_FALSE(notify.ready());
}

struct Row {
  const char* rule;
  std::string socket;
  int code;
};

TEST(ServiceNotify, AManagerThatCannotBeReachedIsAnError) {
  for (const Row& row : {Row{"nobody listens", "/nonexistent/notify", ENOENT},
                         Row{"a kind of socket that is not spoken here", "vsock:2:1234", EAFNOSUPPORT},
                         Row{"too long for a socket", "/" + std::string(200, 'x'), ENAMETOOLONG}}) {
    SCOPED_TRACE(row.rule);
    const auto error = ServiceNotify(row.socket).ready();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, row.code);
    EXPECT_THAT(error->sentence, testing::StartsWith("cannot notify the service manager at " + row.socket));
  }
}

}  // namespace
}  // namespace fireline::platform
