#include "tools/relay/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/unit/io/temporary_directory.h"

namespace fireline::relay {
namespace {

TEST(TextFile, WhoMayReadASecret) {
  const io::TemporaryDirectory folder;
  const std::string path = folder.path() + "/secret";
  std::ofstream(path) << "text";
  const struct {
    const char* rule;
    mode_t mode;
    FileAccess access;
    std::string credentials;  // systemd's folder
    const char* error;        // none: it is read
  } kRows[] = {
      {"the owner alone", 0600, FileAccess::owner_alone, "", nullptr},
      {"the group may not", 0640, FileAccess::owner_alone, "", "others may read it: use chmod 600"},
      {"others may not", 0604, FileAccess::owner_alone, "", "others may read it: use chmod 600"},
      {"what is no secret is everybody's", 0644, FileAccess::any, "", nullptr},
      {"systemd's copies have lists that look like a group's right", 0440, FileAccess::owner_alone, folder.path(),
       nullptr},
      {"which is so in their folder alone", 0440, FileAccess::owner_alone, folder.path() + "/other",
       "others may read it: use chmod 600"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.rule);
    ASSERT_EQ(::chmod(path.c_str(), row.mode), 0);
    if (!row.credentials.empty()) ::setenv("CREDENTIALS_DIRECTORY", row.credentials.c_str(), 1);
    const auto file = read_text_file("the secret", path, 10, row.access);
    ::unsetenv("CREDENTIALS_DIRECTORY");
    ASSERT_EQ(file.has_value(), row.error == nullptr);
    if (file) {
      EXPECT_EQ(file->text, "text");
    } else {
      EXPECT_EQ(file.error(), "cannot read the secret " + path + ": " + row.error);
    }
  }
}

TEST(TextFile, WhatCannotBeRead) {
  const io::TemporaryDirectory folder;
  const std::string path = folder.path() + "/long";
  std::ofstream(path) << "12345678901";
  const auto longer = read_text_file("the users of", path, 10, FileAccess::any);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error(), "cannot read the users of " + path + ": it has more than 10 bytes");
  EXPECT_EQ(read_text_file("the users of", path, 11, FileAccess::any)->text, "12345678901");
  const auto missing = read_text_file("the users of", "/none", 10, FileAccess::any);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), "cannot read the users of /none: No such file or directory");
}

}  // namespace
}  // namespace fireline::relay
