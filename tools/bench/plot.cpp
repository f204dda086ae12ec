#include "tools/bench/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/bench/plot_scale.h"
#include "tools/bench/statistics.h"

namespace fireline::bench {
namespace {

constexpr std::size_t kColours = 7;  // s0 to s6 in page_style.h

// A bar's drawing, in pixels.
constexpr int kBarHeight = 26;
constexpr int kBarMiddle = kBarHeight / 2;
constexpr int kBarThickness = 12;

// A curve's drawing, in pixels: room for a label above the highest line, and for the axis below the lowest.
constexpr double kCurveTop = 16;
constexpr double kCurveHeight = 170;
constexpr double kCurveBottom = kCurveTop + kCurveHeight;
constexpr double kAxisBaseline = kCurveBottom + 17;
constexpr double kCurveTotal = kCurveBottom + 24;
constexpr double kLabelRise = 4;  // a label stands above its line
constexpr int kInner = 1000;      // the curve's own square, stretched over the plot

// The class of a yardstick's grey, by how bare it is; empty for what is no yardstick.
std::string_view grey_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kGreys{{{"forwarder", "forwarder"},
                                                                                 {"sealed-forwarder", "forwarder"},
                                                                                 {"plain hop", "forwarder"},
                                                                                 {"veth", "veth"},
                                                                                 {"forwarding", "veth"},
                                                                                 {"empty program", "veth"}}};
  const auto* const at = std::ranges::find(kGreys, name, &std::pair<std::string_view, std::string_view>::first);
  return at == kGreys.end() ? std::string_view() : at->second;
}

std::string heading(const PlotText& text) {
  return fmt::format("<figure class=\"card\"><figcaption><h3>{}</h3><p class=\"unit\">{}</p></figcaption>\n",
                     escape_html(text.title), escape_html(text.unit));
}

// Text at a tick: the outer ones lean inwards.
std::string_view anchor_of(double percent) {
  return percent < 1 ? "start" : percent > 99 ? "end" : "middle";
}

std::string grid(const PlotScale& scale, double top, double bottom) {
  std::string lines;
  for (const double tick : scale.ticks()) {
    lines += fmt::format("<line class=\"grid\" x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"{1}\" y2=\"{2}\"/>",
                         scale.percent(tick), top, bottom);
  }
  return lines;
}

std::string axis_texts(const PlotScale& scale, double baseline, const std::string& unit) {
  std::string texts;
  for (const double tick : scale.ticks()) {
    const double at = scale.percent(tick);
    const bool last = tick == scale.ticks().back() && !unit.empty();
    texts += fmt::format("<text x=\"{:.2f}%\" y=\"{}\" text-anchor=\"{}\">{}{}</text>", at, baseline, anchor_of(at),
                         tick_text(tick), last ? " " + escape_html(unit) : std::string());
  }
  return texts;
}

std::string spread_text(const Summary& summary, int digits) {
  if (summary.count < 2) return {};
  return fmt::format(" <small>{:.{}f}\u2009\u2013\u2009{:.{}f}</small>", summary.low, digits, summary.high, digits);
}

std::string bar_row(const PlotBar& bar, const PlotScale& scale, int digits) {
  const Summary summary = *summarize(bar.rounds);
  std::string rounds;
  std::string dots;
  for (const double value : bar.rounds) {
    rounds += fmt::format("{}{:.{}f}", rounds.empty() ? "" : ", ", value, digits);
    dots += fmt::format("<circle cx=\"{:.2f}%\" cy=\"{}\" r=\"2.5\"/>", scale.percent(value), kBarMiddle);
  }
  const std::string name = escape_html(bar.name);
  std::string row = fmt::format("<div class=\"row {}\"><span class=\"name\">{}</span>", bar.colour, name);
  row += fmt::format("<svg class=\"bar\" height=\"{}\" role=\"img\" aria-label=\"{}: {:.{}f}\">", kBarHeight, name,
                     summary.median, digits);
  row += fmt::format("<title>{}, rounds: {}</title>", name, rounds);
  row += grid(scale, 0, kBarHeight);
  row += fmt::format("<rect x=\"0\" y=\"{}\" width=\"{:.2f}%\" height=\"{}\" rx=\"2\"/>",
                     kBarMiddle - kBarThickness / 2, scale.percent(summary.median), kBarThickness);
  row += fmt::format("<line class=\"range\" x1=\"{:.2f}%\" x2=\"{:.2f}%\" y1=\"{}\" y2=\"{}\"/>{}</svg>",
                     scale.percent(summary.low), scale.percent(summary.high), kBarMiddle, kBarMiddle, dots);
  row += fmt::format("<span class=\"value\"><b>{:.{}f}</b>{}", summary.median, digits, spread_text(summary, digits));
  if (!bar.note.empty()) row += fmt::format(" <em>{}</em>", escape_html(bar.note));
  return row + "</span></div>\n";
}

std::string legend(const std::vector<PlotCurve>& curves) {
  std::string text = "<p class=\"legend\">";
  for (const PlotCurve& curve : curves) {
    text += fmt::format("<span class=\"{}\"><i></i>{}", curve.colour, escape_html(curve.name));
    if (!curve.note.empty()) text += fmt::format(" <small>{}</small>", escape_html(curve.note));
    text += "</span>\n";
  }
  return text + "</p>\n";
}

std::string curve_line(const PlotCurve& curve, const CurveAxes& axes, const PlotScale& across, const PlotScale& up) {
  std::string points;
  std::string dots;
  for (const auto& [x, y] : curve.points) {
    const double from_top = 100 - up.percent(y);
    points += fmt::format("{:.1f},{:.1f} ", across.percent(x) * kInner / 100, from_top * kInner / 100);
    if (!axes.marked) continue;
    dots += fmt::format("<circle cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"3.5\"/>", across.percent(x),
                        kCurveTop + from_top * kCurveHeight / 100);
  }
  return fmt::format(
      "<g class=\"{}\"><svg x=\"0\" y=\"{}\" width=\"100%\" height=\"{}\" viewBox=\"0 0 {} {}\" "
      "preserveAspectRatio=\"none\"><polyline points=\"{}\"/></svg>{}</g>",
      curve.colour, kCurveTop, kCurveHeight, kInner, kInner, points, dots);
}

}  // namespace

std::string escape_html(std::string_view text) {
  constexpr std::array<std::pair<char, std::string_view>, 5> kEntities{
      {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}}};
  std::string out;
  for (const char c : text) {
    const auto entity = std::ranges::find(kEntities, c, &std::pair<char, std::string_view>::first);
    if (entity == kEntities.end()) {
      out += c;
    } else {
      out += entity->second;
    }
  }
  return out;
}

std::string PlotColours::of(const std::string& name) {
  if (const auto grey = grey_of(name); !grey.empty()) return std::string(grey);
  auto at = std::ranges::find(names_, name);
  if (at == names_.end()) at = names_.insert(names_.end(), name);
  return fmt::format("s{}", static_cast<std::size_t>(at - names_.begin()) % kColours);
}

bool PlotColours::is_yardstick(std::string_view name) {
  return !grey_of(name).empty();
}

std::string bar_plot(const PlotText& text, const std::vector<PlotGroup>& groups) {
  double most = 0;
  bool any = false;
  for (const PlotGroup& group : groups) {
    for (const PlotBar& bar : group.bars) {
      any = true;
      most = std::max(most, *std::ranges::max_element(bar.rounds));
    }
  }
  if (!any) return {};
  const PlotScale scale = PlotScale::linear(most);
  std::string html = heading(text);
  for (const PlotGroup& group : groups) {
    if (group.bars.empty()) continue;
    if (!group.title.empty()) html += fmt::format("<h4>{}</h4>\n", escape_html(group.title));
    for (const PlotBar& bar : group.bars) html += bar_row(bar, scale, text.digits);
  }
  constexpr int kAxisHeight = 18;
  constexpr int kBaseline = 13;
  return html + fmt::format("<div class=\"row axis\"><svg class=\"bar\" height=\"{}\">{}</svg></div></figure>\n",
                            kAxisHeight, axis_texts(scale, kBaseline, {}));
}

std::string curve_plot(const PlotText& text, const CurveAxes& axes, const std::vector<PlotCurve>& curves) {
  if (curves.empty()) return {};
  double least = curves.front().points.front().first;
  double most = 0;
  double highest = 0;
  for (const PlotCurve& curve : curves) {
    least = std::min(least, curve.points.front().first);
    most = std::max(most, curve.points.back().first);
    for (const auto& point : curve.points) highest = std::max(highest, point.second);
  }
  const PlotScale across = axes.logarithmic ? PlotScale::logarithmic(least, most) : PlotScale::linear(most);
  const PlotScale up = PlotScale::linear(axes.highest.value_or(highest));
  std::string html = heading(text) + legend(curves);
  html += fmt::format("<svg class=\"curves\" height=\"{}\" role=\"img\" aria-label=\"{}\">", kCurveTotal,
                      escape_html(text.title));
  html += grid(across, kCurveTop, kCurveBottom);
  for (const double tick : up.ticks()) {
    const double at = kCurveTop + (100 - up.percent(tick)) * kCurveHeight / 100;
    html += fmt::format("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>", at);
  }
  for (const PlotCurve& curve : curves) html += curve_line(curve, axes, across, up);
  for (const double tick : up.ticks()) {
    const double at = kCurveTop + (100 - up.percent(tick)) * kCurveHeight / 100;
    html += fmt::format("<text x=\"0\" y=\"{:.1f}\">{}{}</text>", at - kLabelRise, tick_text(tick),
                        tick == up.ticks().back() ? " " + escape_html(axes.y_unit) : std::string());
  }
  return html + axis_texts(across, kAxisBaseline, axes.x_unit) + "</svg></figure>\n";
}

}  // namespace fireline::bench
