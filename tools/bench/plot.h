// The plots of a benchmark's page as HTML with inline SVG: bars with the spread of their rounds, and curves.
//
// Positions along the horizontal axis are percent and text is never scaled, so that one page serves a wide screen and a
// phone; names and figures are HTML beside each bar, which wraps. Colours are classes of page_style.h. Pure; text from
// outside is escaped here.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fireline::bench {

// & < > " and ' as entities.
[[nodiscard]] std::string escape_html(std::string_view text);

// Which colour stands for a name, the same on all of a page: the yardsticks are grey, the others take turns.
class PlotColours {
 public:
  [[nodiscard]] std::string of(const std::string& name);
  [[nodiscard]] static bool is_yardstick(std::string_view name);

 private:
  std::vector<std::string> names_;
};

struct PlotText {
  std::string title;
  std::string unit;  // of the figures, and what is better
  int digits = 2;    // of the figures
};

struct PlotBar {
  std::string name;
  std::string colour;
  std::vector<double> rounds;  // one figure each; the bar ends at their median; not empty
  std::string note;            // beside the figure
};

struct PlotGroup {
  std::string title;  // empty: none
  std::vector<PlotBar> bars;
};

// All groups on one axis that begins at 0. Empty without a bar.
[[nodiscard]] std::string bar_plot(const PlotText& text, const std::vector<PlotGroup>& groups);

struct PlotCurve {
  std::string name;
  std::string colour;
  std::vector<std::pair<double, double>> points;  // by ascending x; not empty
  std::string note;                               // in the legend
};

struct CurveAxes {
  bool logarithmic = false;       // x; all x are above 0 then
  bool marked = false;            // each point with a dot
  std::optional<double> highest;  // of y; empty: what the curves need
  std::string x_unit;             // behind the last number of the axis
  std::string y_unit;
};

// Empty without a curve.
[[nodiscard]] std::string curve_plot(const PlotText& text, const CurveAxes& axes, const std::vector<PlotCurve>& curves);

}  // namespace fireline::bench
