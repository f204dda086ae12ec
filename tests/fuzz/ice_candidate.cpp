// Any bytes as a candidate's text: what is read stays within the string, and what is written of it is read back equal.
// libraries: fireline_core_ice
// covers: core/ice/candidate_text.cpp core/ice/candidate_text.h
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/ice/candidate_text.h"

using namespace fireline;

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto read = ice::CandidateText::parse(input);
  if (!read) return 0;
  require(lies_in(read->foundation, input) && !read->foundation.empty() && lies_in(read->ufrag, input));
  require(read->foundation.find(' ') == std::string_view::npos && read->ufrag.find(' ') == std::string_view::npos);

  const std::string written = ice::candidate_text(read->candidate, read->ufrag);
  if (written.size() > ice::kCandidateTextBytesMax) return 0;  // an ufrag that fills the input
  const auto again = ice::CandidateText::parse(written);
  require(again.has_value() && again->component == 1 && again->transport == ice::Transport::udp);
  require(ice::is_same(again->candidate, read->candidate));
  require(again->candidate.priority == read->candidate.priority);
  require(again->ufrag.empty() || again->ufrag == read->ufrag);
  return 0;
}
