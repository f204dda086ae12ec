#include "tools/tunnel/portal_link.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace fireline::tunnel {

Result<std::unique_ptr<PortalLink>, std::string> PortalLink::open(io::EventLoop& loop, crypto::Random& random,
                                                                  PortalSessionOptions options, Handlers handlers) {
  const std::string url = options.url.to_string();
  PortalSessionCallbacks callbacks{
      .message = std::move(handlers.message),
      .fatal = [fatal = std::move(handlers.fatal)](const std::string& sentence, bool) mutable { fatal(sentence); },
      .state =
          [url](bool joined) {
            if (joined) spdlog::info("logged in to {}", url);
          },
      .closed = std::move(handlers.closed),
      .lost =
          [](const std::string& sentence, Duration retry_in) {
            spdlog::info("the portal is away: {}; next attempt in {} ms", sentence,
                         std::chrono::duration_cast<std::chrono::milliseconds>(retry_in).count());
          }};
  auto session = PortalSession::make(loop, random, std::move(options), std::move(callbacks));
  if (!session) return err(std::move(session.error()));
  std::unique_ptr<PortalLink> self(new PortalLink());
  self->session_ = std::move(*session);
  return self;
}

}  // namespace fireline::tunnel
