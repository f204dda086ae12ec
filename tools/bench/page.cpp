#include "tools/bench/page.h"

#include <fmt/format.h>

#include "tools/bench/page_style.h"
#include "tools/bench/plot.h"

namespace fireline::bench {
namespace {

// No script, image, font or connection: what a browser enforces needs no trust.
constexpr const char* kPolicy = "default-src 'none'; style-src 'unsafe-inline'";

// In JSON a < stands inside of strings alone, where its escape means the same, and ends no element.
std::string script_text(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view class_of(std::string_view cell) {
  return cell == "PASS" ? " class=\"pass\"" : cell == "FAIL" ? " class=\"fail\"" : "";
}

std::string table_html(const PageTable& table) {
  std::string html =
      fmt::format("<details><summary>{}</summary><div class=\"wide\"><table>\n<tr>", escape_html(table.title));
  for (const auto& cell : table.heading) html += fmt::format("<th>{}</th>", escape_html(cell));
  html += "</tr>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (const auto& cell : row) html += fmt::format("<td{}>{}</td>", class_of(cell), escape_html(cell));
    html += "</tr>\n";
  }
  return html + "</table></div></details>\n";
}

std::string section_html(const PageSection& section) {
  std::string html = fmt::format("<section><h2>{}</h2>\n", escape_html(section.title));
  for (const auto& note : section.notes) html += fmt::format("<p class=\"note\">{}</p>\n", escape_html(note));
  html += "<div class=\"cards\">\n";
  for (const auto& plot : section.plots) html += plot;
  html += "</div>\n";
  for (const auto& table : section.tables) html += table_html(table);
  return html + "</section>\n";
}

}  // namespace

std::string page_html(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{1}\">\n<style>{2}</style></head><body>\n"
      "<header><h1>{0}</h1><p><code>{3}</code></p><dl class=\"facts\">",
      escape_html(page.title), kPolicy, kPageStyle, escape_html(page.command));
  for (const auto& [name, value] : page.facts) {
    html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value));
  }
  html += "</dl></header>\n<main>";
  if (!page.tiles.empty()) {
    html += "<div class=\"tiles\">";
    for (const auto& tile : page.tiles) {
      html += fmt::format("<div class=\"tile\"><b>{}</b>{}</div>", escape_html(tile.figure), escape_html(tile.what));
    }
    html += "</div>\n";
  }
  for (const auto& section : page.sections) html += section_html(section);
  return html + fmt::format("</main>\n<script type=\"application/json\" id=\"report\">{}</script>\n</body></html>\n",
                            script_text(page.report));
}

}  // namespace fireline::bench
