#include "tools/portal/policy_command.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <ostream>

#include "core/policy/document_reader.h"

namespace fireline::portal_tool {
namespace {

using Sentences = std::vector<std::string>;

Result<std::string, std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  // One byte more than the reader takes, so that it says so.
  std::string text(policy::kPolicyBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad() || (file.gcount() == 0 && errno != 0)) {
    return err(path + ": cannot be read: " + std::strerror(errno));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

Result<policy::Document, Sentences> load_policy(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return err(Sentences{text.error()});
  auto document = policy::read_document(*text);
  if (document) return std::move(*document);
  Sentences sentences;
  for (const policy::PolicyError& error : document.error()) sentences.push_back(error.to_string(path));
  return err(std::move(sentences));
}

int check_policy(const std::string& path, std::ostream& output, std::ostream& errors) {
  const auto document = load_policy(path);
  if (!document) {
    for (const std::string& sentence : document.error()) errors << sentence << '\n';
    return 1;
  }
  output << path << ": account " << document->account.slug << ", sites: " << document->sites.size()
         << ", resources: " << document->resources.size() << ", groups: " << document->groups.size()
         << ", actors: " << document->actors.size() << ", policies: " << document->policies.size() << '\n';
  return 0;
}

}  // namespace fireline::portal_tool
