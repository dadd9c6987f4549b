/// Answering "unknown": what is learnt for it from the rows that go into a head, and what it costs and
/// brings.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "enxerto/heads/novelty.h"
#include "enxerto/transfer/features.h"

namespace enxerto {

/// Means and covariance from the training pictures' rows, the threshold from the validation pictures', so
/// that the share `answered` of them lies within. Rows of view 1; pictures without a label do not count among
/// the training pictures. Null where nothing can be learnt (fit_novelty()) or there is no validation picture.
std::shared_ptr<const Novelty> learn_unknown(const Features& train_rows, const Dataset& train,
                                             const Features& val_rows, double answered = 0.95);
/// How far each picture is.
std::vector<double> distances_of(const Novelty& novelty, const Features& rows);

/// The share of pictures that are answered, and of those the share that is wrong (0 of none).
struct CoveragePoint {
  double coverage = 0, risk = 0;
};

/// Risk by coverage where the pictures of least doubt are answered first (El-Yaniv & Wiener 2010, "On the
/// foundations of noise-free selective classification", section 2). Among pictures of equal doubt the wrong
/// ones are spread evenly.
struct RiskCurve {
  std::vector<CoveragePoint> points;  ///< coverage ascending, the last is 1
  double area = 0;  ///< AURC: the mean risk over all coverages (Geifman, Uziel & El-Yaniv 2019)
};
/// `doubt` and `wrong` have a number for each picture. No more points than pictures; none of none.
RiskCurve risk_curve(std::span<const double> doubt, const std::vector<bool>& wrong, int points = 20);
/// Where those of a doubt of at most `threshold` are answered.
CoveragePoint risk_at(std::span<const double> doubt, const std::vector<bool>& wrong, double threshold);

/// {"coverage", "risk"} at the threshold, "n", and where `with_curves` "by_distance" and "by_confidence",
/// each
/// {"aurc", "curve": [[coverage, risk], ...]}; confidence is the probability of the likeliest class.
/// `outputs` {pictures, classes}, of which those that have a label count.
nlohmann::json unknown_json(const Novelty& novelty, std::span<const double> distances, ConstView outputs,
                            const Dataset& data, bool with_curves);

}  // namespace enxerto
