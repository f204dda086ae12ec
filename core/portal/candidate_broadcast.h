// ICE candidates on their way through the portal, which knows whom they are for and does not look into them.
// Source: portal specification 3.2, 4.2, 6.12. Lifetime: values. Threads: any.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/uuid.h"
#include "core/portal/message_text.h"
#include "core/portal/role.h"

namespace fireline::portal {

struct CandidateBroadcast {
  std::vector<Uuid> peers;
  std::string candidates;  // JSON array, passed on as it is
  bool invalidate = false;
};

// For the program of role `receiver` (client or gateway), from the peer `sender`.
[[nodiscard]] MessageText write_candidates(Role receiver, const Uuid& sender, const CandidateBroadcast& broadcast);

}  // namespace fireline::portal
