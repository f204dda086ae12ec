#include "core/crypto/aead_ipsec_mb.h"

#ifdef FIRELINE_HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>

#include <cstdlib>
#include <new>

#include "core/crypto/aead_nonce.h"
#include "core/crypto/c_bytes.h"
#include "core/crypto/secret.h"

namespace fireline::crypto {
namespace {

// The library's manager in memory of our own, so that it can be wiped before it is freed.
class Manager {
 public:
  Manager()
      : bytes_(imb_get_mb_mgr_size()),
        memory_(static_cast<std::byte*>(::operator new(bytes_, kAlignment))),
        manager_(imb_set_pointers_mb_mgr(memory_, 0, 1)) {
    IMB_ARCH architecture = IMB_ARCH_NONE;
    if (manager_ != nullptr) init_mb_mgr_auto(manager_, &architecture);
    if (architecture == IMB_ARCH_NONE || imb_get_errno(manager_) != 0) manager_ = nullptr;
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    wipe({memory_, bytes_});
    ::operator delete(memory_, kAlignment);
  }

  [[nodiscard]] IMB_MGR* get() const noexcept { return manager_; }

 private:
  static constexpr std::align_val_t kAlignment{64};  // its vector state wants cache lines

  std::size_t bytes_;
  std::byte* memory_;
  IMB_MGR* manager_;
};

class IpsecMbAead final : public Aead {
 public:
  [[nodiscard]] bool valid() const noexcept { return manager_.get() != nullptr; }

  // What is the same in all jobs is written into every slot of the manager's ring once: the library leaves these
  // fields alone, and filling them for each packet costs a tenth of a small packet.
  void prepare() noexcept {
    for (IMB_JOB& slot : manager_.get()->jobs) {
      slot = IMB_JOB{};
      slot.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
      slot.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
      slot.chain_order = IMB_ORDER_CIPHER_HASH;
      slot.key_len_in_bytes = kKeyBytes;
      slot.iv_len_in_bytes = std::tuple_size_v<AeadNonce>;
      slot.auth_tag_output_len_in_bytes = kTagBytes;
    }
  }

  void seal(std::span<AeadJob> jobs) noexcept override {
    for (const AeadJob& job : jobs) run(job, IMB_DIR_ENCRYPT, job.data + job.bytes);
  }

  void open(std::span<AeadJob> jobs) noexcept override {
    for (AeadJob& job : jobs) {
      std::array<std::byte, kTagBytes> tag;
      run(job, IMB_DIR_DECRYPT, tag.data());
      job.authentic = equal_constant_time(tag, ConstBytes(job.data + job.bytes, kTagBytes));
      // The right tag of a forged packet would let its sender forge the next one.
      if (!job.authentic) wipe(tag);
    }
  }

  [[nodiscard]] AeadBackend backend() const noexcept override { return AeadBackend::ipsec_mb; }

 private:
  void run(const AeadJob& job, IMB_CIPHER_DIRECTION direction, std::byte* tag) noexcept {
    const AeadNonce nonce = aead_nonce(job.counter);
    IMB_MGR* manager = manager_.get();
    IMB_JOB* slot = IMB_GET_NEXT_JOB(manager);
    slot->cipher_direction = direction;
    slot->enc_keys = job.key->bytes().data();
    slot->dec_keys = job.key->bytes().data();
    slot->iv = c_bytes(nonce.data());
    slot->src = c_bytes(job.data);
    slot->dst = c_bytes(job.data);
    slot->msg_len_to_cipher_in_bytes = job.bytes;
    slot->msg_len_to_hash_in_bytes = job.bytes;
    slot->auth_tag_output = c_bytes(tag);
    // The library finishes a job of this kind inside the call; nonce and tag live no longer than that.
    const IMB_JOB* done = IMB_SUBMIT_JOB_NOCHECK(manager);
    if (done != slot || done->status != IMB_STATUS_COMPLETED) std::abort();
  }

  Manager manager_;
};

}  // namespace

std::unique_ptr<Aead> make_aead_ipsec_mb() {
  auto aead = std::make_unique<IpsecMbAead>();
  if (!aead->valid()) return nullptr;  // a CPU without the instructions that the library needs
  aead->prepare();
  return aead;
}

}  // namespace fireline::crypto

#else

namespace fireline::crypto {

std::unique_ptr<Aead> make_aead_ipsec_mb() {
  return nullptr;
}

}  // namespace fireline::crypto

#endif
