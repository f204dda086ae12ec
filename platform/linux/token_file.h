// Where a program finds its portal token (platform specification 6.4). Tokens are trimmed, erased when dropped and
// never part of an error's text. No state. Threads: take_environment_token() before any other thread exists.
#pragma once
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/crypto/secret_text.h"
#include "platform/linux/host_error.h"

namespace fireline::platform {

inline constexpr const char* kClientTokenPath = "/etc/dev.firezone.client/token";
inline constexpr std::size_t kTokenBytesMax = 16'384;  // a token has some hundred bytes; more is another file

// The variable's value, which is erased and removed from the environment. Not trimmed: spaces are the caller's. Empty
// value: none.
[[nodiscard]] std::optional<crypto::SecretText> take_environment_token(const char* variable = "FIREZONE_TOKEN");

// The word itself, trimmed, or what is in the file whose absolute path it is: containers mount secrets and name them in
// FIREZONE_TOKEN, and such files are often readable for all inside.
[[nodiscard]] Result<crypto::SecretText, HostError> token_or_its_file(const crypto::SecretText& word);

// The client's file: owner and group root, mode 0400 or 0600, text in UTF-8. Empty: there is no such file or it cannot
// be opened, which counts as missing. Error: it breaks a rule; the sentence names file and rule.
[[nodiscard]] Result<std::optional<crypto::SecretText>, HostError> read_token_file(const std::string& path);

// The systemd credential of that name in $CREDENTIALS_DIRECTORY. systemd minds owner and mode.
[[nodiscard]] Result<crypto::SecretText, HostError> read_credential(const std::string& name = "FIREZONE_TOKEN");

}  // namespace fireline::platform
