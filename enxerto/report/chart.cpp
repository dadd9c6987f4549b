#include "enxerto/report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

// In the units of the picture, whose width fills the figure.
constexpr double width = 520, height = 270, left = 54, right = 12, top = 10, bottom = 38;
constexpr std::size_t most_buckets = 200;
constexpr std::size_t most_dots = 60;
constexpr double most_value = 1e30;

bool is_drawable(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && std::abs(point.y) <= most_value;
}

/// The lowest and the highest of each of many stretches, so that no spike is lost.
std::vector<Point> thin_out(const std::vector<Point>& points) {
  if (points.size() <= 2 * most_buckets) return points;
  std::vector<Point> kept;
  for (std::size_t bucket = 0; bucket < most_buckets; ++bucket) {
    const auto at = [&](std::size_t b) {
      return points.begin() + static_cast<std::ptrdiff_t>(b * points.size() / most_buckets);
    };
    auto [low, high] = std::minmax_element(at(bucket), at(bucket + 1),
                                           [](const Point& a, const Point& b) { return a.y < b.y; });
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

std::string tick_label(double value, bool is_proportion, const Texts& t) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.6g", is_proportion ? 100 * value : value);
  return localized(buffer.data(), t) + (is_proportion ? " %" : "");
}

/// Places numbers on the picture.
struct Frame {
  Axis x, y;
  std::string across(double value) const { return fixed(left + x.place(value) * (width - left - right), 1); }
  std::string up(double value) const {
    const double bounded = std::clamp(y.place(value), 0.0, 1.0);
    return fixed(height - bottom - bounded * (height - top - bottom), 1);
  }
};

std::string draw_axes(const Frame& frame, bool are_proportions, bool is_share, const std::string& x_name,
                      const Texts& t) {
  const std::string low_y = fixed(height - bottom, 0);
  std::string out = "<g class=axis>";
  for (const double tick : frame.y.ticks) {
    const std::string y = frame.up(tick);
    out += text("<path d=\"M", left, " ", y, "H", width - right, "\"/><text x=", left - 6, " y=", y,
                " dy=4 text-anchor=end>", tick_label(tick, are_proportions, t), "</text>");
  }
  for (const double tick : frame.x.ticks)
    out += text("<text x=", frame.across(tick), " y=", height - bottom + 16, " text-anchor=middle>",
                tick_label(tick, is_share, t), "</text>");
  out += text("<text x=", left + (width - left - right) / 2, " y=", height - 4, " text-anchor=middle>",
              x_name, "</text></g>");
  return out;
}

std::string draw_band(const Frame& frame, const std::vector<BandPoint>& band) {
  if (band.size() < 2) return "";
  std::string path, back;
  const std::size_t stride = 1 + band.size() / (2 * most_buckets);
  for (std::size_t i = 0; i < band.size(); i += stride) {
    const std::string x = frame.across(band[i].x);
    path += text(path.empty() ? "M" : "L", x, " ", frame.up(band[i].y.high));
    back = text("L", x, " ", frame.up(band[i].y.low), back);
  }
  return text("<path class=band d=\"", path, back, "Z\"/>");
}

std::string draw_line(const Frame& frame, const Line& line, bool are_proportions, const std::string& x_name,
                      const Texts& t) {
  std::string path;
  for (const Point& point : thin_out(line.points))
    path += text(path.empty() ? "M" : "L", frame.across(point.x), " ", frame.up(point.y));
  std::string out = text("<path class=\"line ", line.style, "\" d=\"", path, "\"/>");
  if (line.style == "steps" || line.points.size() > most_dots) return out;
  for (const Point& point : line.points)
    out += text("<circle class=", line.style, " cx=", frame.across(point.x), " cy=", frame.up(point.y),
                " r=3><title>", x_name, " ", tick_label(point.x, false, t), ": ",
                are_proportions ? percent(point.y, t) : short_number(point.y, t), "</title></circle>");
  return out;
}

/// Numbers as JSON, short.
std::string list_of(const std::vector<double>& values) {
  std::string out = "[";
  std::array<char, 32> buffer{};
  for (const double value : values) {
    std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
    if (out.size() > 1) out += ',';
    out += buffer.data();
  }
  return out + "]";
}

/// A text as JSON in a <script>: no tag can begin in it.
std::string json_text(std::string_view content) {
  std::string out = "\"";
  for (const char c : content)
    out += c == '"' || c == '\\' ? std::string{'\\', c} : c == '<' ? "\\u003c" : std::string(1, c);
  return out + "\"";
}

std::string series_of(std::string_view style, const std::string& name, const std::vector<Point>& points) {
  std::vector<double> x, y;
  for (const Point& point : thin_out(points)) x.push_back(point.x), y.push_back(point.y);
  return text("{\"style\":\"", style, "\",\"name\":", json_text(name), ",\"x\":", list_of(x),
              ",\"y\":", list_of(y), "}");
}

/// What the script needs to draw the same.
std::string data_of(const Chart& chart, const std::vector<Line>& lines, bool is_log,
                    const std::string& x_name, const Texts& t) {
  std::vector<std::string> series;
  if (chart.band.size() > 1) {
    std::vector<Point> low, high;
    for (const BandPoint& each : chart.band)
      low.push_back({each.x, each.y.low}), high.push_back({each.x, each.y.high});
    series.push_back(series_of("low", t.line_interval_low, low));
    series.push_back(series_of("high", t.line_interval_high, high));
  }
  for (const Line& line : lines) series.push_back(series_of(line.style, line.name, line.points));
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  return text("<script type=application/json>{\"x\":", json_text(x_name), ",\"log\":", flag(is_log),
              ",\"percent\":", flag(chart.are_proportions), ",\"share\":", flag(chart.is_share),
              ",\"zero\":", flag(chart.has_zero), ",\"mark\":", chart.mark ? list_of({*chart.mark}) : "[]",
              ",\"series\":[", join(series, ","), "]}</script>");
}

std::string describe(const Line& line, bool are_proportions, const Texts& t) {
  const auto show = [&](double value) {
    return are_proportions ? percent(value, t) : short_number(value, t);
  };
  const auto [low, high] = std::ranges::minmax(line.points, {}, &Point::y);
  return fill(t.chart_line, {line.name, show(line.points.front().y), show(line.points.back().y), show(low.y),
                             show(high.y)});
}

std::string legend_entry(std::string_view style, const std::string& name) {
  return text("<span class=key><svg viewBox=\"0 0 24 8\" width=24 height=8 aria-hidden=true><path class=\"",
              style == "band" ? "" : "line ", style,
              style == "band" ? "\" d=\"M0 0H24V8H0Z\"/></svg>" : "\" d=\"M0 4H24\"/></svg>", name,
              "</span>");
}

}  // namespace

double Axis::place(double value) const {
  if (!is_log) return (value - low) / (high - low);
  return value > 0 ? std::log(value / low) / std::log(high / low) : 0;
}

Axis linear_axis(double low, double high, int about) {
  if (low > high) std::swap(low, high);
  low = std::clamp(low, -most_value, most_value);
  high = std::clamp(high, -most_value, most_value);
  // Two numbers that a double can hardly tell apart get some room around them.
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low < std::max(1e-9 * size, 1e-30)) {
    const double room = size > 1e-30 ? 0.5 * size : 0.5;
    low -= room;
    high += room;
  }
  const double raw = (high - low) / about;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double times = raw / power;
  const double step = (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10) * power;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  Axis axis{.low = first * step, .high = last * step, .ticks = {}};
  for (double k = first; k <= last; ++k) axis.ticks.push_back(k == 0 ? 0 : k * step);
  return axis;
}

Axis log_axis(double low, double high) {
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last = std::max(static_cast<int>(std::ceil(std::log10(high) - 1e-9)), first + 1);
  Axis axis{.low = std::pow(10.0, first), .high = std::pow(10.0, last), .is_log = true, .ticks = {}};
  const int powers = last - first;
  const int stride = 1 + powers / 8;
  for (int power = first; power <= last; power += stride)
    for (const double times : {1.0, 2.0, 5.0})
      if ((times == 1.0 || powers <= 2) && (times == 1.0 || power < last))
        axis.ticks.push_back(times * std::pow(10.0, power));
  return axis;
}

std::string draw(const Chart& chart, const Texts& t) {
  std::vector<Line> lines;
  Point low{std::numeric_limits<double>::max(), std::numeric_limits<double>::max()}, high{0, -low.y};
  double least_above_zero = low.y;
  const auto reach = [&](double x, double y) {
    low = {std::min(low.x, x), std::min(low.y, y)};
    high = {std::max(high.x, x), std::max(high.y, y)};
    if (y > 0) least_above_zero = std::min(least_above_zero, y);
  };
  for (Line line : chart.lines) {
    std::erase_if(line.points, [](const Point& point) { return !is_drawable(point); });
    for (const Point& point : line.points) reach(point.x, point.y);
    if (!line.points.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  for (const BandPoint& point : chart.band) reach(point.x, point.y.low), reach(point.x, point.y.high);

  low.x = std::floor(low.x);
  const bool is_log = chart.may_be_log && low.y > 0 && high.y > 100 * least_above_zero;
  Frame frame;
  frame.x = linear_axis(low.x, std::max(high.x, low.x + 1), 8);
  frame.x.low = low.x;  // the lines fill the width
  frame.x.high = std::max(high.x, low.x + 1);
  std::erase_if(frame.x.ticks, [&](double tick) {
    return tick < frame.x.low || tick > frame.x.high || (tick != std::floor(tick) && !chart.is_share);
  });
  if (chart.has_zero && !is_log) low.y = std::min(low.y, 0.0);
  frame.y = is_log ? log_axis(low.y, high.y) : linear_axis(low.y, high.y);

  const std::string x_name = chart.x_name.empty() ? t.epoch : chart.x_name;
  std::string legend, description = chart.title + ". ", drawn;
  for (const Line& line : lines) {
    legend += legend_entry(line.style, line.name);
    description += describe(line, chart.are_proportions, t);
    drawn += draw_line(frame, line, chart.are_proportions, x_name, t);
  }
  if (chart.band.size() > 1) legend += legend_entry("band", chart.band_name);
  if (chart.mark && *chart.mark >= frame.x.low && *chart.mark <= frame.x.high) {
    legend += legend_entry("mark", chart.mark_name);
    drawn = text("<path class=\"line mark\" d=\"M", frame.across(*chart.mark), " ", top, "V", height - bottom,
                 "\"/>", drawn);
  }
  return text("<figure class=chart><figcaption><b>", chart.title, "</b>", is_log ? t.log_scale : "", legend,
              "</figcaption><svg viewBox=\"0 0 ", width, " ", height, "\" role=img aria-label=\"",
              description, "\">", draw_axes(frame, chart.are_proportions, chart.is_share, x_name, t),
              draw_band(frame, chart.band), drawn, "</svg>", data_of(chart, lines, is_log, x_name, t),
              "</figure>\n");
}

}  // namespace enxerto
