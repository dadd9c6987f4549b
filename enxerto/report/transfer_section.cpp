#include "enxerto/report/transfer_section.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/text.h"
#include "enxerto/report/chart.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_layers = 200, most_curve_points = 1000;

/// The elements of a list; none where it is no list.
std::vector<Json> elements(const Json& list) {
  if (!list.is_array()) return {};
  return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(list.size(), most_curve_points))};
}

std::string frozen_sentence(const Json& layers, const Texts& t) {
  const std::int64_t frozen = find_count(layers, "frozen");
  if (frozen == 0) return "";
  return fill(t.transfer_frozen, {grouped(frozen, t), grouped(find_count(layers, "frozen_same"), t),
                                  escape(find_text(layers, "frozen_hash").substr(0, 16))});
}

std::string calibration_sentence(const Json& calibration, const Texts& t) {
  const Figure temperature = find_number(calibration, "temperature");
  if (!temperature) return "";
  return fill(t.transfer_calibration,
              {fixed(*temperature, 2), percent(find_number(calibration, "ece_before"), t),
               percent(find_number(calibration, "ece_after"), t)});
}

/// What the novelty was measured on: test pictures, else validation pictures.
const Json& judged(const Json& unknown) {
  const Json& test = find_member(unknown, "test");
  return test.is_object() ? test : find_member(unknown, "val");
}

std::string unknown_sentence(const Json& unknown, const Texts& t) {
  const Json& on = judged(unknown);
  if (!on.is_object()) return "";
  return fill(t.transfer_unknown,
              {short_number(find_number(unknown, "threshold"), t), percent(find_number(on, "coverage"), t),
               grouped(find_count(on, "n"), t), percent(find_number(on, "risk"), t)});
}

/// The layers that moved most come first; what was nothing before is new.
std::string moved_table(const Json& layers, const Texts& t) {
  std::vector<Json> trained = elements(find_member(layers, "trained"));
  if (trained.empty()) return "";
  const auto key = [](const Json& layer) { return find_number(layer, "moved").value_or(HUGE_VAL); };
  std::ranges::stable_sort(trained, std::ranges::greater{}, key);
  const std::size_t shown = std::min(trained.size(), most_layers);
  std::string out = text(
      "<details", shown <= 12 ? " open" : "", "><summary>", t.moved_caption,
      "</summary><table class=sortable><caption>",
      shown < trained.size()
          ? fill(t.moved_cut, {grouped(static_cast<std::int64_t>(shown), t), grouped(std::ssize(trained), t)})
          : "",
      "</caption><thead><tr><th scope=col>", t.column_layer, "<th scope=col>", t.column_moved, "<tbody>");
  for (std::size_t i = 0; i < shown; ++i) {
    const Figure moved = find_number(trained[i], "moved");
    out += text("<tr><th scope=row>", escape(find_text(trained[i], "layer"), 80), "<td>",
                moved ? short_number(moved, t) : t.moved_new);
  }
  return out + "</table></details>\n";
}

std::vector<Point> curve_of(const Json& order) {
  std::vector<Point> points;
  for (const Json& point : elements(find_member(order, "curve")))
    if (point.is_array() && point.size() == 2 && point[0].is_number() && point[1].is_number())
      points.push_back({point[0].get<double>(), point[1].get<double>()});
  std::ranges::stable_sort(points, {}, &Point::x);
  return points;
}

std::string coverage_chart(const Json& unknown, const Texts& t) {
  const Json& on = judged(unknown);
  Chart chart{.title = t.chart_coverage,
              .lines = {{"train", t.line_by_confidence, curve_of(find_member(on, "by_confidence"))},
                        {"val", t.line_by_distance, curve_of(find_member(on, "by_distance"))}},
              .band = {},
              .band_name = "",
              .mark = find_number(on, "coverage"),
              .mark_name = t.coverage,
              .are_proportions = true,
              .x_name = t.coverage,
              .has_zero = true,
              .is_share = true};
  return draw(chart, t);
}

std::string range_chart(const Json& range, const Texts& t) {
  std::vector<Point> points;
  for (const Json& point : elements(find_member(range, "points"))) {
    const Figure lr = find_number(point, "lr"), smoothed = find_number(point, "smoothed");
    if (lr && *lr > 0 && smoothed) points.push_back({std::log10(*lr), *smoothed});
  }
  std::ranges::stable_sort(points, {}, &Point::x);
  const Figure suggested = find_number(range, "suggested");
  Chart chart{.title = t.chart_lr_range,
              .lines = {{"only", t.line_smoothed, std::move(points)}},
              .band = {},
              .band_name = "",
              .mark = suggested && *suggested > 0 ? Figure(std::log10(*suggested)) : std::nullopt,
              .mark_name = t.line_suggested,
              .x_name = t.log_rate};
  return draw(chart, t);
}

}  // namespace

std::string transfer_section(const RunRecord& run, const Texts& t) {
  const Json& transfer = run.transfer;
  if (!transfer.is_object()) return "";
  const Json &layers = find_member(transfer, "layers"), &unknown = find_member(transfer, "unknown");
  const std::string sentences = frozen_sentence(layers, t) +
                                calibration_sentence(find_member(transfer, "calibration"), t) +
                                unknown_sentence(unknown, t);
  const std::string charts = coverage_chart(unknown, t) + range_chart(find_member(transfer, "lr_range"), t);
  const std::string table = moved_table(layers, t);
  if (sentences.empty() && charts.empty() && table.empty()) return "";
  return text("<section><h2>", t.transfer_heading, "</h2><p>", sentences, "</p>\n",
              charts.empty() ? "" : text("<div class=charts>\n", charts, "</div>"), table, "</section>\n");
}

}  // namespace enxerto
