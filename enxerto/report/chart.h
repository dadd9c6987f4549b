/// Line charts as inline SVG: axes with round numbers, lines, a band, a mark. Colours come from the page. The
/// numbers go along, so that the page's script can put a chart of uPlot in their place, to point at and look
/// closer; what is printed, and what there is without scripts, is the SVG.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// A stretch of numbers along an edge of a chart.
struct Axis {
  double low = 0, high = 1;
  bool is_log = false;
  std::vector<double> ticks;  ///< round numbers within [low, high], rising

  /// Where a value lies: 0 at `low`, 1 at `high`.
  double place(double value) const;
};

/// Ticks 1, 2 or 5 times a power of ten apart, about as many as asked for; low and high are moved out to
/// the nearest ones. Any two finite numbers make an axis.
Axis linear_axis(double low, double high, int about = 5);
/// Ticks at powers of ten, and at twice and five times those where they are few. 0 < low <= high.
Axis log_axis(double low, double high);

struct Point {
  double x = 0, y = 0;
};

struct Line {
  std::string_view style;  ///< a class of the page's style: "train", "val", "steps", "only", "run0" to "run7"
  std::string name;
  std::vector<Point> points;  ///< by rising x
};

struct BandPoint {
  double x = 0;
  Bounds y;
};

struct Chart {
  std::string title;
  std::vector<Line> lines;  ///< the last lies on top
  std::vector<BandPoint> band;
  std::string band_name;
  Figure mark;  ///< an x
  std::string mark_name;
  bool are_proportions = false;
  std::string x_name = "";  ///< what lies along the bottom; empty: epochs
  bool has_zero = false;    ///< the axis begins at zero, unless it is logarithmic
  bool may_be_log = false;  ///< where the values span more than two powers of ten
  bool is_share = false;    ///< x lies between 0 and 1
};

/// A <figure> with its legend and a description for those who do not see it; empty where no line has a
/// point. A few kilobytes, however many points there are.
std::string draw(const Chart& chart, const Texts& t);

}  // namespace enxerto
