// Why a program may not log in, as HTTP says it. Baseline programs end for good at any 4xx, so that one of those is
// for what a new attempt cannot change; everything that may pass is a 503. Source: portal specification 1.6.
// Lifetime: values. Threads: any.
#pragma once
#include <string>
#include <string_view>

namespace fireline::portal {

struct Refusal {
  unsigned status = 503;
  std::string body;  // text/plain
};

namespace refusal {

[[nodiscard]] inline Refusal missing_token() {
  return {401, "Missing token"};
}
// Unknown, of another kind of program, revoked, expired: nobody learns which.
[[nodiscard]] inline Refusal invalid_token() {
  return {401, "Invalid token"};
}
[[nodiscard]] inline Refusal invalid_parameters(std::string_view what) {
  return {422, "Invalid or missing connection parameters: " + std::string(what)};
}
[[nodiscard]] inline Refusal no_such_endpoint() {
  return {404, "Not found"};
}
[[nodiscard]] inline Refusal too_many_failures() {
  return {503, "Too many failed logins: try again later"};
}
[[nodiscard]] inline Refusal overloaded() {
  return {503, "Too many connections: try again later"};
}
[[nodiscard]] inline Refusal too_many_devices() {
  return {503, "The owner of this token has too many devices connected: try again later"};
}
[[nodiscard]] inline Refusal place_taken() {
  return {503, "Another relay is connected with this address and port: try again later"};
}
[[nodiscard]] inline Refusal storage_failed() {
  return {503, "The portal cannot store this device at the moment"};
}

}  // namespace refusal
}  // namespace fireline::portal
