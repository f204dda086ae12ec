#include "io/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>

#include "io/event_loop.h"
#include "io/file_watch.h"
#include "tests/unit/io/temporary_directory.h"

namespace fireline::io {
namespace {

using namespace std::chrono_literals;

mode_t mode_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

TEST(UnixListener, MakesDirectoryAndSocketWithTheirModesWhateverTheUmask) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/deep/er/x.sock";
  for (const mode_t mask : {0u, 0022u, 0777u}) {
    const auto before = umask(mask);
    const auto listener = UnixListener::listen(path, 0660);
    umask(before);
    ASSERT_TRUE(listener) << listener.error().message();
    EXPECT_EQ(mode_of(path), 0660u);
    EXPECT_EQ(mode_of(directory.path() + "/deep/er"), 0755u);
    EXPECT_TRUE(connect_unix(path, 1s));
  }
}

TEST(UnixListener, RemovesItsFileWhenItGoes) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/x.sock";
  {
    const auto listener = UnixListener::listen(path, 0600);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixListener, LeavesTheFileThatSomebodyElsePutInItsPlace) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/x.sock";
  auto first = UnixListener::listen(path, 0600);
  std::filesystem::rename(path, directory.path() + "/y.sock");
  EXPECT_FALSE(first->is_in_place());
  const auto second = UnixListener::listen(path, 0600);
  ASSERT_TRUE(second);
  first->close();
  EXPECT_TRUE(second->is_in_place());
}

TEST(UnixListener, ReplacesTheSocketOfADeadProcess) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/x.sock";
  const pid_t child = fork();
  if (child == 0) {
    const auto listener = UnixListener::listen(path, 0600);
    _exit(listener ? 0 : 1);  // without destructors, as after kill -9
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(path)) << "the dead process left it behind";
  EXPECT_TRUE(UnixListener::listen(path, 0600));
}

TEST(UnixListener, RefusesWhatIsTaken) {
  const TemporaryDirectory directory;
  const auto path = directory.path() + "/x.sock";
  const auto living = UnixListener::listen(path, 0600);
  ASSERT_TRUE(living);
  EXPECT_EQ(UnixListener::listen(path, 0600).error(), std::errc::address_in_use);

  // Also while its backlog is full, when a connection could only wait.
  std::vector<FileDescriptor> waiting;
  for (auto more = connect_unix(path, 1us); more; more = connect_unix(path, 1us)) waiting.push_back(std::move(*more));
  EXPECT_EQ(UnixListener::listen(path, 0600).error(), std::errc::address_in_use);
  EXPECT_TRUE(living->is_in_place());

  std::ofstream(directory.path() + "/file") << "precious";
  EXPECT_EQ(UnixListener::listen(directory.path() + "/file", 0600).error(), std::errc::file_exists);
  EXPECT_TRUE(std::filesystem::exists(directory.path() + "/file"));
  EXPECT_EQ(UnixListener::listen(directory.path() + "/" + std::string(120, 'x'), 0600).error(),
            std::errc::filename_too_long);
}

TEST(FileWatch, TellsOnceWhenTheFileIsRemovedRenamedOrReplaced) {
  struct Row {
    const char* rule;
    void (*act)(const std::string& path);
  };
  const Row rows[] = {
      {"removed", [](const std::string& path) { std::filesystem::remove(path); }},
      {"renamed", [](const std::string& path) { std::filesystem::rename(path, path + ".old"); }},
      {"replaced",
       [](const std::string& path) {
         std::ofstream(path + ".new") << "";
         std::filesystem::rename(path + ".new", path);
       }},
      {"removed with its directory",
       [](const std::string& path) { std::filesystem::remove_all(std::filesystem::path(path).parent_path()); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.rule);
    const TemporaryDirectory directory;
    auto loop = EventLoop::make().value();
    auto listener = UnixListener::listen(directory.path() + "/sub/x.sock", 0600).value();
    int gone = 0;
    const auto watch =
        FileWatch::make(*loop, directory.path() + "/sub", [&] { return listener.is_in_place(); }, [&] { ++gone; });
    ASSERT_TRUE(watch);
    std::ofstream(directory.path() + "/sub/other") << "a neighbour is no reason";
    loop->turn(1s);
    loop->turn(10ms);
    EXPECT_EQ(gone, 0);
    row.act(listener.path());
    loop->turn(1s);
    loop->turn(10ms);
    EXPECT_EQ(gone, 1);
  }
}

TEST(FileWatch, NoticesWhatHappenedBeforeItWatched) {
  const TemporaryDirectory directory;
  auto loop = EventLoop::make().value();
  int gone = 0;
  const auto watch = FileWatch::make(*loop, directory.path(), [] { return false; }, [&] { ++gone; });
  loop->turn(1s);
  EXPECT_EQ(gone, 1);
}

}  // namespace
}  // namespace fireline::io
