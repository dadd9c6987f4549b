/// Advice: which recipe suits these pictures and this computer. Everything is measured on the pictures
/// themselves; the rule of thumb for the quadrant (few or many pictures, like or unlike what the backbone
/// knows) is told beside it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "enxerto/heads/head.h"
#include "enxerto/transfer/comparison.h"
#include "enxerto/transfer/features.h"
#include "enxerto/transfer/graft.h"

namespace enxerto {

/// So many pictures, each class in proportion (at least one of each), ascending; all where there are no more.
std::vector<std::int64_t> stratified_part(const Dataset& data, std::int64_t pictures, std::uint64_t seed);

/// Where to look for features: `usual`, and before it up to `count` - 1 ends of blocks at even distances,
/// maps pooled; from the input on.
std::vector<Cut> depth_cuts(const Graph& graph, const Cut& usual, int count);

/// A probe at one depth.
struct DepthProbe {
  Cut cut;
  std::int64_t features = 0;
  HeadConfig head = {};             ///< what was asked for, with what was chosen: finds the same head again
  double seconds = 0;               ///< of fitting
  double logme = 0;                 ///< of the training pictures (transferability.h)
  std::vector<std::uint8_t> right;  ///< of each validation picture
  Accuracy top1() const { return accuracy_of({right}); }
};
/// A head on the training rows, asked about the validation rows. Pictures with one label each. Throws as
/// fit_probe().
DepthProbe probe_depth(const Cut& cut, const Features& train_rows, const Dataset& train,
                       const Features& val_rows, const Dataset& val, const HeadConfig& head);

/// Validation accuracy of probes on a part of the training pictures.
struct CurvePoint {
  double share = 1;
  std::int64_t pictures = 0;
  std::vector<double> top1 = {};  ///< of each draw
  double mean() const;
};
/// For each share `draws` stratified parts of their own (one where it is all), each with a head as `head`
/// says (DepthProbe::head, so that the last point is that probe). A share so small that its parts have no two
/// classes has no point.
std::vector<CurvePoint> learning_curve(const Features& train_rows, const Dataset& train,
                                       const Features& val_rows, const Dataset& val, const HeadConfig& head,
                                       std::span<const double> shares, int draws, std::uint64_t seed);
/// What twice as many pictures would bring: errors fall as a power of their number (Hestness et al. 2017),
/// fitted to the curve's means. Empty with fewer than two points. Never below the last point.
std::optional<double> top1_of_twice(std::span<const CurvePoint> curve, std::int64_t val_pictures);

/// A short training beside a probe, both on the same part of the pictures.
struct Pilot {
  std::string recipe;
  std::int64_t pictures = 0, val_pictures = 0;
  int epochs = 0;
  std::vector<std::uint8_t> probe_right, tuned_right;  ///< of each validation picture
  double seconds = 0;
  /// Tuned minus probe.
  Contrast gain() const;
};

/// Few or many pictures, like or unlike what the backbone has seen. By convention many are 2,000 to train
/// with; they are alike where the features of the last layer are the best and a probe on them leaves at most
/// a fifth of the errors of chance.
struct Quadrant {
  bool large = false, similar = false;
  std::string_view rule_of_thumb() const;  ///< a recipe
  friend bool operator==(const Quadrant&, const Quadrant&) = default;
};
Quadrant quadrant_of(std::int64_t pictures, std::span<const DepthProbe> depths, int classes);

/// The depth to cut at: the last, unless an earlier one is better by more than one standard error of the
/// difference.
std::size_t best_depth(std::span<const DepthProbe> depths);

/// A recipe that could be taken.
struct Choice {
  std::string recipe;
  Cut cut = {};
  double top1 = 0;  ///< expected of the validation pictures
  Interval interval = {};
  double gain = 0, gain_error = 0;  ///< over the probe, and its standard error; 0 of the probe itself
  double seconds = 0;               ///< that it takes here
};
/// Tuning starts from the usual cut, which need not be the best one: `gain` over a probe there, as a choice
/// beside the probe at the best depth.
void add_gain(const Contrast& gain, std::span<const DepthProbe> depths, const Choice& probe, Choice& choice);
/// The place of the one to take: of those within `budget_seconds` (0: any) that promise more than the first,
/// a probe, by more than the standard error of that, the most promising; else the first.
std::size_t recommended(std::span<const Choice> choices, double budget_seconds);

}  // namespace enxerto
