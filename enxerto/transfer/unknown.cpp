#include "enxerto/transfer/unknown.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

Json to_json(const RiskCurve& curve) {
  Json points = Json::array();
  for (const CoveragePoint& each : curve.points) points.push_back({each.coverage, each.risk});
  return {{"aurc", curve.area}, {"curve", std::move(points)}};
}

}  // namespace

std::shared_ptr<const Novelty> learn_unknown(const Features& train_rows, const Dataset& train,
                                             const Features& val_rows, double answered) {
  ensure(train_rows.pictures() == train.size(), "there is a row for each picture");
  if (val_rows.pictures() == 0) return nullptr;
  std::vector<std::int32_t> labels;
  std::vector<float> weights;
  for (std::int64_t i = 0; i < train.size(); ++i) {
    const std::int32_t label = train.label(i);
    labels.push_back(std::max(label, 0));
    weights.push_back(label == unlabelled ? 0.0f : 1.0f);
  }
  Tensor room;
  std::optional<Novelty> made = fit_novelty({.x = flat(train_rows.matrix(1, room)),
                                             .y = labels,
                                             .classes = static_cast<int>(train.classes().size()),
                                             .weights = weights});
  if (!made) return nullptr;
  made->answered = answered;
  made->threshold = threshold_for(distances_of(*made, val_rows), answered);
  return std::make_shared<Novelty>(std::move(*made));
}

std::vector<double> distances_of(const Novelty& novelty, const Features& rows) {
  Tensor room;
  return novelty.distances(flat(rows.matrix(1, room)));
}

RiskCurve risk_curve(std::span<const double> doubt, const std::vector<bool>& wrong, int points) {
  ensure(doubt.size() == wrong.size() && points > 0, "there is a doubt for each picture");
  const std::size_t n = doubt.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::less{}, [&](std::size_t i) { return doubt[i]; });
  std::vector<double> risks;  // of the first 1, 2, ... pictures
  double errors = 0;
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    double here = 0;
    for (; end < n && doubt[order[end]] == doubt[order[begin]]; ++end) here += wrong[order[end]] ? 1 : 0;
    for (std::size_t i = begin + 1; i <= end; ++i)
      risks.push_back((errors + here * static_cast<double>(i - begin) / static_cast<double>(end - begin)) /
                      static_cast<double>(i));
    errors += here;
  }
  RiskCurve made;
  if (n == 0) return made;
  made.area = std::accumulate(risks.begin(), risks.end(), 0.0) / static_cast<double>(n);
  const std::size_t count = std::min(n, static_cast<std::size_t>(points));
  for (std::size_t k = 1; k <= count; ++k) {
    const std::size_t first = (k * n + count - 1) / count;
    made.points.push_back({static_cast<double>(first) / static_cast<double>(n), risks[first - 1]});
  }
  return made;
}

CoveragePoint risk_at(std::span<const double> doubt, const std::vector<bool>& wrong, double threshold) {
  ensure(doubt.size() == wrong.size(), "there is a doubt for each picture");
  double answered = 0, errors = 0;
  for (std::size_t i = 0; i < doubt.size(); ++i) {
    if (!(doubt[i] <= threshold)) continue;
    ++answered;
    errors += wrong[i] ? 1 : 0;
  }
  return {doubt.empty() ? 0 : answered / static_cast<double>(doubt.size()),
          answered > 0 ? errors / answered : 0};
}

Json unknown_json(const Novelty& novelty, std::span<const double> distances, ConstView outputs,
                  const Dataset& data, bool with_curves) {
  const std::size_t c = static_cast<std::size_t>(outputs.shape.c);
  ensure(std::ssize(distances) == data.size() && outputs.shape.n == data.size(),
         "there are distance and outputs of each picture");
  std::vector<double> far, unsure;
  std::vector<bool> wrong;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == unlabelled) continue;
    const auto row = outputs.data.subspan(static_cast<std::size_t>(i) * c, c);
    const auto best = std::ranges::max_element(row);
    double total = 0;
    for (const float y : row) total += std::exp(static_cast<double>(y) - static_cast<double>(*best));
    far.push_back(distances[static_cast<std::size_t>(i)]);
    unsure.push_back(total);  // 1 / the probability
    wrong.push_back(best - row.begin() != data.label(i));
  }
  const CoveragePoint at = risk_at(far, wrong, novelty.threshold);
  Json json{{"n", wrong.size()}, {"coverage", at.coverage}, {"risk", at.risk}};
  if (with_curves) {
    json["by_distance"] = to_json(risk_curve(far, wrong));
    json["by_confidence"] = to_json(risk_curve(unsure, wrong));
  }
  return json;
}

}  // namespace enxerto
