// application/x-www-form-urlencoded, as URL queries carry it. Source: WHATWG URL section 5; portal specification 1.1.
// Lifetime: values. Threads: any.
#pragma once
#include <string>
#include <string_view>

namespace fireline {

// Letters, digits and "*-._" as they are, space as '+', every other byte as %HH in upper case.
void append_form_urlencoded(std::string& out, std::string_view text);

}  // namespace fireline
