// Where a program finds its portal token (platform specification 6.4). Tokens are trimmed, erased when dropped and
// never part of an error's text. No state. Threads: take_environment_token() before any other thread exists.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "platform/linux/host_error.h"

namespace fireline::platform {

// Text that is erased when it is dropped or replaced. It is not printed by accident: there is no conversion to string.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view text);
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();

  [[nodiscard]] std::string_view reveal() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

 private:
  std::string text_;
};

inline constexpr const char* kClientTokenPath = "/etc/dev.firezone.client/token";
inline constexpr std::size_t kTokenBytesMax = 16'384;  // a token has some hundred bytes; more is another file

// The variable's value, which is erased and removed from the environment. Not trimmed: spaces are the caller's. Empty
// value: none.
[[nodiscard]] std::optional<SecretText> take_environment_token(const char* variable = "FIREZONE_TOKEN");

// The client's file: owner and group root, mode 0400 or 0600, text in UTF-8. Empty: there is no such file or it cannot
// be opened, which counts as missing. Error: it breaks a rule; the sentence names file and rule.
[[nodiscard]] Result<std::optional<SecretText>, HostError> read_token_file(const std::string& path);

// The systemd credential of that name in $CREDENTIALS_DIRECTORY. systemd minds owner and mode.
[[nodiscard]] Result<SecretText, HostError> read_credential(const std::string& name = "FIREZONE_TOKEN");

}  // namespace fireline::platform
