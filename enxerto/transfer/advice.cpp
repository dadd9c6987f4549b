#include "enxerto/transfer/advice.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/split.h"
#include "enxerto/transfer/probe.h"
#include "enxerto/transfer/transferability.h"
#include "enxerto/transfer/tune.h"

namespace enxerto {
namespace {

std::vector<std::uint8_t> right_of(ConstView outputs, const Dataset& data) {
  std::vector<std::uint8_t> right;
  const auto c = static_cast<std::size_t>(outputs.shape.c);
  for (std::int64_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == unlabelled) continue;
    right.push_back(rank_of(outputs.data.subspan(static_cast<std::size_t>(i) * c, c), data.label(i)) == 0);
  }
  if (right.empty()) throw Error(ErrorKind::usage, "no validation picture has a label");
  return right;
}

/// What finds the head again whose report this is, without choosing anew.
HeadConfig as_chosen(HeadConfig config, const HeadReport& report) {
  config.strength = report.strength;
  config.standardize = report.standardized;
  config.folds = 0;
  return config;
}

/// The difference's standard error, as its interval has it.
double error_of(const Contrast& contrast) {
  return (contrast.interval.high - contrast.interval.low) / 2 / normal_975;
}

}  // namespace

std::vector<std::int64_t> stratified_part(const Dataset& data, std::int64_t pictures, std::uint64_t seed) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  if (pictures >= data.size()) return all;
  if (pictures < 1) return {};
  const std::vector<std::int32_t> labels = labels_of(data);
  std::vector<std::int64_t> taken =
      split_stratified(labels, static_cast<double>(pictures) / static_cast<double>(data.size()), Rng(seed))
          .taken;
  std::set<std::int32_t> there;
  for (const std::int64_t i : taken) there.insert(labels[static_cast<std::size_t>(i)]);
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (there.insert(labels[i]).second) taken.push_back(static_cast<std::int64_t>(i));
  std::ranges::sort(taken);
  return taken;
}

std::vector<Cut> depth_cuts(const Graph& graph, const Cut& usual, int count) {
  const int last = graph.id_of(usual.layer).index;
  std::vector<std::string> ends;
  for (const std::string& end : block_ends(graph)) {
    // Not the map that `usual` pools: something is learnt in between.
    bool learns = false;
    for (int i = graph.id_of(end).index + 1; i <= last; ++i)
      learns = learns || !graph.node({i}).params.empty();
    if (learns) ends.push_back(end);
  }
  std::vector<Cut> cuts;
  const auto wanted = std::min(ends.size(), static_cast<std::size_t>(std::max(count - 1, 0)));
  for (std::size_t i = 0; i < wanted; ++i) {
    // Even distances, the input and `usual` being the ends of the way.
    const std::size_t place = (i + 1) * (ends.size() + 1) / (wanted + 1) - 1;
    cuts.push_back({.layer = ends[place], .pool = true});
  }
  cuts.push_back(usual);
  return cuts;
}

DepthProbe probe_depth(const Cut& cut, const Features& train_rows, const Dataset& train,
                       const Features& val_rows, const Dataset& val, const HeadConfig& head) {
  const HeadFit fit = fit_probe(train_rows, train, head);
  DepthProbe made{.cut = cut,
                  .head = as_chosen(head, fit.report),
                  .seconds = fit.report.seconds,
                  .right = right_of(outputs_of(fit.head, val_rows).view(), val)};
  Tensor room;
  const ConstView rows = flat(train_rows.matrix(1, room));
  made.features = rows.shape.c;
  made.logme = logme(rows, labels_of(train), static_cast<int>(train.classes().size()));
  return made;
}

double CurvePoint::mean() const {
  return std::accumulate(top1.begin(), top1.end(), 0.0) / static_cast<double>(top1.size());
}

std::vector<CurvePoint> learning_curve(const Features& train_rows, const Dataset& train,
                                       const Features& val_rows, const Dataset& val, const HeadConfig& head,
                                       std::span<const double> shares, int draws, std::uint64_t seed) {
  Tensor room;
  const ConstView rows = flat(train_rows.matrix(1, room));
  const auto c = static_cast<std::size_t>(rows.shape.c);
  const std::vector<std::string> classes(train.classes().begin(), train.classes().end());
  std::vector<CurvePoint> curve;
  for (const double share : shares) {
    const auto wanted = std::llround(share * static_cast<double>(train.size()));
    CurvePoint point{.share = share};
    for (int draw = 0; draw < (wanted >= train.size() ? 1 : draws); ++draw) {
      const std::vector<std::int64_t> part =
          stratified_part(train, wanted, Rng(seed).child(static_cast<std::uint64_t>(draw)).at(0));
      Tensor some({.n = std::ssize(part), .c = static_cast<std::int64_t>(c)});
      std::vector<std::int32_t> labels;
      for (std::size_t i = 0; i < part.size(); ++i) {
        std::ranges::copy(rows.data.subspan(static_cast<std::size_t>(part[i]) * c, c),
                          some.data().begin() + static_cast<std::ptrdiff_t>(i * c));
        labels.push_back(train.label(part[i]));
      }
      if (labels.empty() || std::ranges::count(labels, labels.front()) == std::ssize(labels)) continue;
      HeadConfig config = head;
      config.k = static_cast<int>(std::min<std::int64_t>(head.k, std::ssize(part)));
      const HeadFit fit = fit_head(
          {.x = some.view(), .y = labels, .classes = static_cast<int>(classes.size())}, classes, config);
      const std::vector<std::uint8_t> right = right_of(outputs_of(fit.head, val_rows).view(), val);
      point.pictures = std::ssize(part);
      point.top1.push_back(accuracy_of({right}).mean);
    }
    if (!point.top1.empty()) curve.push_back(std::move(point));
  }
  return curve;
}

std::optional<double> top1_of_twice(std::span<const CurvePoint> curve, std::int64_t val_pictures) {
  if (curve.size() < 2) return {};
  // Least squares of log error on log pictures. No error at all counts as half a picture.
  double x_mean = 0, y_mean = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(curve.size());
  const double least = 0.5 / static_cast<double>(val_pictures);
  const auto x_of = [](const CurvePoint& point) { return std::log(static_cast<double>(point.pictures)); };
  const auto y_of = [&](const CurvePoint& point) { return std::log(std::max(1 - point.mean(), least)); };
  for (const CurvePoint& point : curve) {
    x_mean += x_of(point) / n;
    y_mean += y_of(point) / n;
  }
  for (const CurvePoint& point : curve) {
    xx += (x_of(point) - x_mean) * (x_of(point) - x_mean);
    xy += (x_of(point) - x_mean) * (y_of(point) - y_mean);
  }
  if (xx == 0) return {};
  const double slope = std::min(xy / xx, 0.0);
  const double error = (1 - curve.back().mean()) * std::exp2(slope);
  return 1 - error;
}

Contrast Pilot::gain() const {
  const std::vector<RightAnswers> both{{tuned_right}, {probe_right}};
  return contrasts_of(both).front();
}

std::size_t best_depth(std::span<const DepthProbe> depths) {
  ensure(!depths.empty(), "there is a depth");
  std::size_t best = depths.size() - 1;
  for (std::size_t i = depths.size() - 1; i-- > 0;) {
    const std::vector<RightAnswers> both{{depths[i].right}, {depths[best].right}};
    const Contrast found = contrasts_of(both).front();
    if (found.difference > error_of(found)) best = i;
  }
  return best;
}

Quadrant quadrant_of(std::int64_t pictures, std::span<const DepthProbe> depths, int classes) {
  const double chance = 1.0 / classes;
  const double left = (1 - depths.back().top1().mean) / (1 - chance);
  return {.large = pictures >= 2000, .similar = best_depth(depths) + 1 == depths.size() && left <= 0.2};
}

std::string_view Quadrant::rule_of_thumb() const {
  if (similar) return large ? "warmup+finetune" : "probe";
  return large ? "finetune" : "warmup+finetune";
}

void add_gain(const Contrast& gain, std::span<const DepthProbe> depths, const Choice& probe, Choice& choice) {
  const std::size_t best = best_depth(depths);
  choice.gain = gain.difference;
  choice.gain_error = error_of(gain);
  if (best + 1 < depths.size()) {
    const std::vector<RightAnswers> both{{depths.back().right}, {depths[best].right}};
    const Contrast behind = contrasts_of(both).front();
    choice.gain += behind.difference;
    choice.gain_error = std::hypot(choice.gain_error, error_of(behind));
  }
  choice.top1 = std::clamp(probe.top1 + choice.gain, 0.0, 1.0);
  const double half =
      normal_975 * std::hypot(choice.gain_error, (probe.interval.high - probe.interval.low) / 2 / normal_975);
  choice.interval = {.low = std::max(0.0, choice.top1 - half), .high = std::min(1.0, choice.top1 + half)};
}

std::size_t recommended(std::span<const Choice> choices, double budget_seconds) {
  ensure(!choices.empty(), "there is something to choose from");
  std::size_t best = 0;
  for (std::size_t i = 1; i < choices.size(); ++i) {
    if (budget_seconds > 0 && choices[i].seconds > budget_seconds) continue;
    if (choices[i].gain > choices[i].gain_error && choices[i].gain > choices[best].gain) best = i;
  }
  return best;
}

}  // namespace enxerto
