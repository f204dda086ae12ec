#include "core/portal/server/resource_texts.h"

#include "core/portal/client_codec.h"

namespace fireline::portal {

std::string_view ResourceTexts::at(const policy::Document& document, std::size_t place) {
  texts_.resize(document.resources.size());
  std::string& text = texts_[place];
  if (text.empty()) text = write(ResourceCreatedOrUpdated{document.resources[place]}).payload;
  return text;
}

}  // namespace fireline::portal
