/// Losses: how wrong a batch of outputs is, and the gradient. All follow PyTorch's definitions (mean
/// reduction); sums are in double and no exponential overflows.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "enxerto/layers/field.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// Softmax cross-entropy. With weights w and labels t, over the rows i that count,
///   sum_i [(1 - s) w[t_i] nll_i(t_i) + s / C sum_c w[c] nll_i(c)] / sum_i w[t_i],
/// s the label smoothing and C the number of classes (Szegedy et al. 2016, section 7). With targets p that
/// are shares of classes, as mixed pictures have them, over the m rows that count,
///   sum_i sum_c w[c] ((1 - s) p_i[c] + s / C) nll_i(c) / m,
/// which for shares of 0 and 1 is the same as with labels where there are no class weights.
struct CrossEntropy {
  static constexpr std::string_view kind = "cross_entropy";
  double label_smoothing = 0;              ///< in [0, 1)
  std::vector<double> class_weights = {};  ///< empty: all one; else one for each class, none negative
  static constexpr auto fields = std::tuple{field("label_smoothing", &CrossEntropy::label_smoothing),
                                            field("class_weights", &CrossEntropy::class_weights)};
  friend bool operator==(const CrossEntropy&, const CrossEntropy&) = default;
};

/// Mean of (y - target)^2 over all outputs of the rows that count.
struct MeanSquaredError {
  static constexpr std::string_view kind = "mse";
  static constexpr auto fields = std::tuple{};
  friend bool operator==(const MeanSquaredError&, const MeanSquaredError&) = default;
};

/// A sigmoid for each output, for pictures with several labels: mean over all outputs of
/// -p w log s(y) - (1 - p) log(1 - s(y)), where p is the target in [0, 1] and w the positive weight.
struct BinaryCrossEntropy {
  static constexpr std::string_view kind = "bce";
  double positive_weight = 1;
  static constexpr auto fields = std::tuple{field("positive_weight", &BinaryCrossEntropy::positive_weight)};
  friend bool operator==(const BinaryCrossEntropy&, const BinaryCrossEntropy&) = default;
};

using LossConfig = std::variant<CrossEntropy, MeanSquaredError, BinaryCrossEntropy>;

/// The mean loss of the first labels.size() rows of outputs {n, c}, h and w of which count to c; rows
/// behind them are padding. Where `doutputs` is not empty it has the shape of outputs and is overwritten
/// with the gradient, zero in the padding. Labels lie in [0, c); not finite outputs give a loss that is not.
double cross_entropy(const CrossEntropy& config, ConstView outputs, std::span<const std::int32_t> labels,
                     View doutputs = {});

/// The same for targets {rows, c}, rows <= n: what counts are the rows of the targets.
double cross_entropy(const CrossEntropy& config, ConstView outputs, ConstView targets, View doutputs = {});
double mean_squared_error(ConstView outputs, ConstView targets, View doutputs = {});
double binary_cross_entropy(const BinaryCrossEntropy& config, ConstView outputs, ConstView targets,
                            View doutputs = {});

/// Any of them for one label a picture: the last two take a one at the label and zeros elsewhere as
/// target.
double loss_of(const LossConfig& config, ConstView outputs, std::span<const std::int32_t> labels,
               View doutputs = {});
/// Any of them for targets.
double loss_of(const LossConfig& config, ConstView outputs, ConstView targets, View doutputs = {});

/// Defaults of a loss by its name; Error{usage} lists the names.
LossConfig parse_loss(std::string_view name);
/// Throws Error{usage} where a value makes no sense for so many classes.
void check_loss(const LossConfig& config, std::int64_t classes);

}  // namespace enxerto
