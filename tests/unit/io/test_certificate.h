// A certificate that a test makes for itself, signed by its own key, and both files.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace fireline::io {

class TestCertificate {
 public:
  // `names` as in "DNS:portal.test,IP:127.0.0.1". `days`: negative, it has expired.
  TestCertificate(const std::string& directory, const std::string& name, const std::string& names, int days = 1)
      : certificate_file_(directory + "/" + name + ".pem"), key_file_(directory + "/" + name + ".key") {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    if (!key || !certificate) std::abort();
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -10L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * 86400L);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    if (extension == nullptr) std::abort();
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
    if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) std::abort();
    write(certificate_file_, [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
    write(key_file_,
          [&](FILE* file) { return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

  [[nodiscard]] const std::string& certificate_file() const noexcept { return certificate_file_; }
  [[nodiscard]] const std::string& key_file() const noexcept { return key_file_; }

 private:
  template <class Write>
  static void write(const std::string& path, Write write) {
    FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr || write(file) != 1) std::abort();
    std::fclose(file);
  }

  std::string certificate_file_;
  std::string key_file_;
};

}  // namespace fireline::io
