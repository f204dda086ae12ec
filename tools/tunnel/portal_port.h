// The portal as the reactions of a program see it. Threads: the control thread's.
#pragma once
#include "core/crypto/keys.h"
#include "core/portal/message_text.h"

namespace fireline::tunnel {

class PortalPort {
 public:
  virtual ~PortalPort() = default;

  // May wait for the next connection.
  virtual void send(const portal::MessageText& message) = 0;
  // Connects anew, for an `init` with relays. Nothing happens while a connection is being made.
  virtual void ask_for_relays() = 0;
  // Connects anew, as somebody with this key.
  virtual void log_in(const crypto::PublicKey& key) = 0;
};

}  // namespace fireline::tunnel
