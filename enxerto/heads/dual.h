/// Dual block coordinate ascent: the rows of one block are solved exactly but for the others, from the
/// products of its own pairs, and the weights follow once for the block. One pass over the features moves
/// much further than a step along a gradient (Hsieh et al. 2008 and Yu, Huang & Lin 2011, there row by row).
/// Not installed.
#pragma once

#include <memory>

#include "enxerto/heads/dual_space.h"

namespace enxerto {

/// A loss of one row and its conjugate. c > 0: C times the row's weight. s: scores {outputs}. a: dual
/// variables.
class DualLoss {
 public:
  virtual ~DualLoss() = default;
  /// The best `a` where everything else stays and the row's product with itself is `product` > 0. `change`
  /// gets the difference. Leaves all alone and returns false where the row's gap() is about `negligible` or
  /// less.
  virtual bool solve(double product, double c, int y, std::span<const double> s, std::span<double> a,
                     std::span<double> change, double negligible) = 0;
  virtual double loss(double c, int y, std::span<const double> s) const = 0;
  /// loss(s) + conjugate loss(a) - a s, which is never negative, and 0 where a is best: summed over the rows
  /// it bounds how far the objective is from the least.
  virtual double gap(double c, int y, std::span<const double> s, std::span<const double> a) const = 0;
};

struct DualProblem {
  std::span<const std::int32_t> y;
  std::vector<double> c;  ///< C times weight; a row of 0 is not there
  int outputs = 0;
  bool bias_penalised = false;  ///< as the weight of a constant feature of 1
};

struct DualState {
  std::vector<double> a;  ///< {n, outputs}
  std::vector<double> bias;
};

struct DualResult {
  double objective = 0, gap = 0;  ///< how far the objective can be above the least for this bias
  int epochs = 0, passes = 0;     ///< passes over the features: an epoch is one
  bool converged = false;
};

/// Rows of a block: enough that reading and writing the weights costs little beside the rows. More would not
/// be better: a block that is solved against all others' old values goes too far, and the others have to undo
/// it.
constexpr std::int64_t dual_block_rows = 16;

/// Blocks of rows with the products of their pairs.
class DualSolver {
 public:
  /// Makes the products of all blocks: rows * block_rows floats. `space` has to be at what `state.a` gives.
  DualSolver(const DualProblem& problem, DualSpace& space, DualLoss& loss, std::int64_t block_rows,
             std::uint64_t seed);

  /// Runs epochs until the gap is below tolerance * objective, or they become useless.
  DualResult run(DualState& state, double tolerance, int max_epochs);

  /// For another C: the blocks stay.
  void set_c(const std::vector<double>& c) { problem_.c = c; }
  /// a = factor * direction {n, outputs}, with the factor in (0, 1] that makes the objective least. For the
  /// start: where C is large the least is far from the residuals of any simple guess.
  void start_along(std::span<const float> direction, DualState& state);

 private:
  struct Sums {
    double loss = 0, gap = 0;
  };
  Sums epoch(DualState& state, double negligible);
  /// What a block does to the weights, not yet done to them.
  struct Pending {
    std::vector<std::int32_t> rows;
    std::vector<float> change;
  };
  /// s: the block's scores without the bias.
  Sums block(DualState& state, std::size_t index, double negligible, std::span<double> s, Pending& pending);
  Sums measure(DualState& state);
  double penalty(const DualState& state) const;
  std::span<const std::int32_t> rows_of(std::size_t block) const;
  std::vector<double> all_scores() const;

  DualProblem problem_;
  DualSpace& space_;
  DualLoss& loss_;
  std::uint64_t seed_;
  int epochs_done_ = 0;
  std::size_t block_rows_;
  std::vector<std::int32_t> rows_;  ///< shuffled; blocks follow each other
  std::vector<float> products_;
  double constant_ = 1;  ///< what the bias adds to every product
};

/// The bias that makes the sum of cross entropies least, by Newton's method from `bias` on. scores {rows,
/// outputs} are without it.
void polish_bias(const DualProblem& problem, std::span<const std::int32_t> rows,
                 std::span<const double> scores, std::span<double> bias);

}  // namespace enxerto
