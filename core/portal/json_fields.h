// Typed reading of a JSON object's fields with one verdict at the end: read everything, then ask failed().
// Internal to the codecs: simdjson's header is heavy, so that only their sources include this.
// Source: portal specification 2: a key may be absent only where the function says so, null only in optional_text().
// Lifetime: borrows the Document. Threads: one owner. Values of failed reads are empty.
#pragma once
#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/endpoint.h"
#include "core/base/uuid.h"
#include "core/crypto/keys.h"

namespace fireline::portal {

class JsonDocument {
 public:
  // Check failed() before root().
  explicit JsonDocument(std::string_view text);
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] simdjson::dom::element root() const noexcept { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
  bool failed_ = true;
};

// Strings only; nothing for other types.
[[nodiscard]] std::optional<std::string_view> as_text(const simdjson::dom::element& element) noexcept;
[[nodiscard]] std::optional<Uuid> as_id(const simdjson::dom::element& element) noexcept;

class JsonFields {
 public:
  // Anything but an object fails.
  explicit JsonFields(const simdjson::dom::element& element) noexcept;

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  void fail() noexcept { failed_ = true; }

  [[nodiscard]] bool has(std::string_view key) const noexcept;
  [[nodiscard]] bool is_null(std::string_view key) const noexcept;
  // Nothing when the key is absent.
  [[nodiscard]] std::optional<simdjson::dom::element> find(std::string_view key) const noexcept;
  // An absent key fails.
  [[nodiscard]] JsonFields object(std::string_view key) noexcept;
  // Views of the elements; longer than `limit` fails.
  [[nodiscard]] std::vector<simdjson::dom::element> array(std::string_view key, std::size_t limit);
  [[nodiscard]] std::vector<simdjson::dom::element> optional_array(std::string_view key, std::size_t limit);

  // Longer than `limit` bytes fails.
  [[nodiscard]] std::string text(std::string_view key, std::size_t limit);
  // Absent and null alike are nothing.
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key, std::size_t limit);
  [[nodiscard]] Uuid id(std::string_view key) noexcept;
  [[nodiscard]] IpAddress address(std::string_view key, Family family) noexcept;
  [[nodiscard]] Endpoint endpoint(std::string_view key) noexcept;
  // With its length, and no bits set behind it.
  [[nodiscard]] Prefix cidr(std::string_view key) noexcept;
  [[nodiscard]] crypto::PublicKey public_key(std::string_view key) noexcept;
  [[nodiscard]] crypto::Key secret_key(std::string_view key) noexcept;
  // Unix seconds, not negative.
  [[nodiscard]] std::int64_t timestamp(std::string_view key) noexcept;
  // Absent: `otherwise`.
  [[nodiscard]] std::uint16_t optional_port(std::string_view key, std::uint16_t otherwise) noexcept;
  void require_bool(std::string_view key) noexcept;

 private:
  JsonFields() noexcept : failed_(true) {}
  [[nodiscard]] std::string_view required_text(std::string_view key) noexcept;

  simdjson::dom::object object_;
  bool is_object_ = false;
  bool failed_ = false;
};

}  // namespace fireline::portal
