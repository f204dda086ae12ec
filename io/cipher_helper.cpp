#include "io/cipher_helper.h"

namespace fireline::io {

bool CipherHelper::turn(Now) {
  CipherTask* task = nullptr;
  if (!queue_.try_dequeue(task)) return false;
  // The packet thread waits for whole works: it is not woken for less.
  if (task->run(*aead_) == CipherTask::Outcome::ran_last) packet_thread_->wake();
  return true;
}

std::vector<std::unique_ptr<crypto::Aead>> make_helper_aeads(crypto::AeadBackend backend, unsigned count) {
  std::vector<std::unique_ptr<crypto::Aead>> aeads;
  for (unsigned i = 0; i < count; ++i) aeads.push_back(crypto::make_aead(backend));
  return aeads;
}

}  // namespace fireline::io
