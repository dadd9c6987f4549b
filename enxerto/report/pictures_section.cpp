#include "enxerto/report/pictures_section.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "enxerto/core/text.h"
#include "enxerto/report/chart.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_cards = 20, bin_count = 10, most_curve_points = 200;
constexpr std::size_t most_path = 300;  // characters

std::string class_name(const std::vector<std::string>& classes, std::int32_t index) {
  const auto i = static_cast<std::size_t>(index);
  return i < classes.size() ? escape(classes[i], 40) : no_figure;
}

std::string bins_table(const Sureness& sure, const Texts& t) {
  std::string out = text("<details><summary>", t.bins_summary, "</summary><div class=scroll><table><caption>",
                         t.bins_caption, "</caption><thead><tr><th scope=col>", t.column_probability,
                         "<th scope=col>", t.column_pictures, "<th scope=col>", t.column_mean_probability,
                         "<th scope=col>", t.column_right, "<tbody>");
  for (std::size_t i = 0; i < bin_count; ++i) {
    const Bin& bin = sure.bins[i];
    const auto n = static_cast<double>(bin.n);
    const double low = static_cast<double>(i) / bin_count, high = static_cast<double>(i + 1) / bin_count;
    out += text("<tr><th scope=row>", fill(t.bounds, {fixed(100 * low, 0), percent(high, t, 0)}), "<td>",
                grouped(bin.n, t), "<td>", bin.n ? percent(bin.probability / n, t) : no_figure, "<td>",
                bin.n ? percent(static_cast<double>(bin.right) / n, t) : no_figure);
  }
  return out + "</table></div></details>\n";
}

std::string reliability_chart(const Sureness& sure, const Texts& t) {
  std::vector<Point> points;
  for (const Bin& bin : sure.bins)
    if (bin.n > 0) {
      const auto n = static_cast<double>(bin.n);
      points.push_back({bin.probability / n, static_cast<double>(bin.right) / n});
    }
  Chart chart;
  chart.title = t.chart_reliability;
  chart.lines = {{"steps", t.line_perfect, {{0, 0}, {1, 1}}}, {"val", t.line_reliability, std::move(points)}};
  chart.are_proportions = chart.has_zero = chart.is_share = true;
  chart.x_name = t.confidence;
  return draw(chart, t);
}

std::string risk_chart(const Sureness& sure, const Texts& t) {
  std::vector<Point> points;
  const std::size_t n = sure.risk.size(), stride = std::max<std::size_t>(1, n / most_curve_points);
  for (std::size_t k = stride - 1; k < n; k += stride)
    points.push_back({static_cast<double>(k + 1) / static_cast<double>(n), sure.risk[k]});
  Chart chart;
  chart.title = t.chart_coverage;
  chart.lines = {{"only", t.line_by_confidence, std::move(points)}};
  chart.are_proportions = chart.has_zero = chart.is_share = true;
  chart.x_name = t.coverage;
  return draw(chart, t);
}

Json json_of(const Predictions& predictions) {
  Json list = Json::array();
  for (const ShownPicture& each : predictions.shown) {
    const PictureRecord& record = each.record;
    Json picture{{"t", record.label}, {"p", record.predicted}, {"f", clean(each.file, most_path)}};
    picture["l"] = record.loss;
    if (record.probability >= 0) picture["q"] = record.probability;
    if (!each.thumbnail.empty()) picture["s"] = each.thumbnail;
    list.push_back(std::move(picture));
  }
  return list;
}

}  // namespace

Sureness measure_sureness(const std::vector<PictureRecord>& pictures) {
  Sureness made;
  made.bins.resize(bin_count);
  std::vector<const PictureRecord*> order;
  for (const PictureRecord& each : pictures) {
    if (each.probability < 0) continue;
    const auto place = static_cast<std::size_t>(std::floor(each.probability * bin_count));
    Bin& bin = made.bins[std::min(place, bin_count - 1)];
    const bool is_right = each.label == each.predicted;
    ++bin.n;
    bin.right += is_right;
    bin.probability += each.probability;
    ++made.n;
    made.right += is_right;
    made.probability += each.probability;
    order.push_back(&each);
  }
  if (made.n == 0) return made;
  const auto n = static_cast<double>(made.n);
  for (const Bin& bin : made.bins)
    made.calibration_error += std::abs(static_cast<double>(bin.right) - bin.probability) / n;
  made.probability /= n;
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const PictureRecord* each) { return each->probability; });
  double wrong = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    wrong += order[k]->label != order[k]->predicted;
    made.risk.push_back(wrong / static_cast<double>(k + 1));
  }
  made.area = std::accumulate(made.risk.begin(), made.risk.end(), 0.0) / n;
  made.risk_of_half = made.risk[(order.size() - 1) / 2];
  return made;
}

std::string sureness(const Predictions& predictions, const Texts& t) {
  const Sureness sure = measure_sureness(predictions.pictures);
  if (sure.n == 0) return "";
  return text(
      "<h3>", t.sure_heading, "</h3><p>",
      fill(t.sure_sentence,
           {percent(sure.probability, t),
            percent(static_cast<double>(sure.right) / static_cast<double>(sure.n), t),
            percent(sure.calibration_error, t), percent(sure.risk_of_half, t), short_number(sure.area, t)}),
      "</p>\n<div class=charts>\n", reliability_chart(sure, t), risk_chart(sure, t), "</div>\n",
      bins_table(sure, t));
}

std::string worst_losses(const Predictions& predictions, std::string_view split,
                         const std::vector<std::string>& classes, const Texts& t) {
  if (predictions.shown.empty()) return "";
  std::string out = text("<h3>", t.worst_heading, "</h3><p>", t.worst_caption,
                         "</p><ol class=cards data-split=", split, ">\n");
  for (std::size_t i = 0; i < std::min(predictions.shown.size(), most_cards); ++i) {
    const auto& [record, file, thumbnail] = predictions.shown[i];
    const std::string truth = class_name(classes, record.label);
    const std::string what = record.label == record.predicted
                                 ? fill(t.picture_right, {truth})
                                 : fill(t.picture_taken, {truth, class_name(classes, record.predicted)});
    out += text("<li", thumbnail.empty() ? "" : text(" data-at=", i), "><b>", what, "</b><span>",
                record.probability >= 0 ? percent(record.probability, t) + ", " : "",
                fill(t.picture_loss, {short_number(record.loss, t)}), "</span><small class=file data-path=\"",
                escape(file, most_path), "\">", escape(short_path(file), 60), "</small>\n");
  }
  return out + "</ol>\n";
}

std::string data_of_pictures(const RunRecord& run) {
  return json_in_page({{"val", json_of(run.val_predictions)}, {"test", json_of(run.test_predictions)}});
}

}  // namespace enxerto
