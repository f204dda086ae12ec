// An engine among fakes: what the tests of a program's reactions have in common. The derived class has the reactions.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/crypto/aead.h"
#include "core/crypto/x25519.h"
#include "io/limits.h"
#include "tests/unit/tools/tunnel/fake_ports.h"

namespace fireline::tunnel::test {

struct IgnoredRow {
  const char* sentence;
  const char* event;
  const char* payload;
};

template <class Core>
class ReactionsFixture : public testing::Test {
 protected:
  // What was done to the outside since the last call.
  Journal take_journal() { return std::exchange(journal_, {}); }

  Journal journal_;
  crypto::SeededRandom random_{1};
  io::BufferPool trains_{"train", packet::kLargeBufferBytes, io::kTrainPoolBytes};
  io::BufferPool packets_{"packet", packet::kSmallBufferBytes, io::kPacketPoolBytes};
  std::unique_ptr<crypto::Aead> aead_ = crypto::make_aead(crypto::AeadBackend::libsodium);
  FakePortal portal_{journal_};
  FakeHost host_{journal_};
  crypto::Key key_ = crypto::generate_private_key(random_);
  Core core_{{}, key_, {}, trains_, packets_, random_, *aead_};
  FakeEngine<Core> engine_{core_, journal_};
  std::vector<std::string> fatal_;
  int ready_ = 0;
};

}  // namespace fireline::tunnel::test
