// Reads members of a JSON object that must be there, and remembers the first thing that is wrong, as a sentence that
// names its place. Start-up only.
#pragma once
#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fireline::lab {

class JsonReader {
 public:
  JsonReader(std::optional<simdjson::dom::element> element, std::string place, std::string& wrong)
      : element_(element), place_(std::move(place)), wrong_(wrong) {}

  [[nodiscard]] JsonReader member(std::string_view name) const {
    simdjson::dom::element found;
    const bool there = find(name, found);
    if (!there) fail(name, "is missing");
    return {there ? std::optional(found) : std::nullopt, place_of(name), wrong_};
  }
  [[nodiscard]] std::string text(std::string_view name) const {
    simdjson::dom::element found;
    std::string_view text;
    if (!find(name, found) || found.get(text) != simdjson::SUCCESS) fail(name, "is missing or no string");
    return std::string(text);
  }
  // Absent: none.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> found;
    for_each(name, [&](const JsonReader& item) {
      std::string_view one;
      if (item.element_->get(one) != simdjson::SUCCESS) item.fail({}, "is no string");
      found.emplace_back(one);
    });
    return found;
  }
  template <class Visit>
  void for_each(std::string_view name, Visit visit) const {
    simdjson::dom::element list;
    if (!find(name, list)) return;
    simdjson::dom::array array;
    if (list.get(array) != simdjson::SUCCESS) return fail(name, "is no list");
    std::size_t index = 0;
    for (const auto item : array) visit(JsonReader(item, place_of(name) + "[" + std::to_string(index++) + "]", wrong_));
  }
  // The first sentence stays.
  void fail(std::string_view name, std::string_view what) const {
    if (wrong_.empty()) wrong_ = (name.empty() ? place_ : place_of(name)) + " " + std::string(what);
  }

 private:
  [[nodiscard]] bool find(std::string_view name, simdjson::dom::element& found) const {
    return element_ && (*element_)[name].get(found) == simdjson::SUCCESS;
  }
  [[nodiscard]] std::string place_of(std::string_view name) const {
    return place_.empty() ? std::string(name) : place_ + "." + std::string(name);
  }

  std::optional<simdjson::dom::element> element_;  // empty: it was missing
  std::string place_;
  std::string& wrong_;
};

}  // namespace fireline::lab
