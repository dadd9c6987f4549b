/// Where the weights of a linear head live while its dual variables are sought: W = sum over rows of a x^T,
/// with one variable for each row and output. Not installed.
#pragma once

#include <vector>

#include "enxerto/heads/linear_head.h"
#include "enxerto/heads/standardize.h"
#include "enxerto/kernels/rows/rows.h"

namespace enxerto {

/// Rows as a head sees them: shifted, and where standardised scaled. Borrows the features, owns the two
/// vectors.
class SeenRows {
 public:
  /// mean and scale of `by` may each be empty.
  SeenRows(ConstView x, Standardization by);
  cpu::RowView view() const;
  std::int64_t n() const { return n_; }
  std::int64_t c() const { return c_; }
  const std::vector<float>& inverse_variance() const { return inverse_variance_; }
  /// Scores by weights {k,c} on raw columns and a bias at the mean, as a head on raw features.
  LinearHead head(std::span<const float> weights, std::span<const double> bias) const;
  double bias_at_mean(const LinearHead& head, int k) const;

 private:
  const float* x_;
  std::int64_t n_, c_;
  std::vector<float> mean_, inverse_scale_, inverse_variance_;
};

class DualSpace {
 public:
  virtual ~DualSpace() = default;
  /// w x of these rows {rows, outputs}, without a bias.
  virtual void scores(std::span<const std::int32_t> rows, std::span<double> out) const = 0;
  /// W += change^T x. change {rows, outputs}
  virtual void add(std::span<const std::int32_t> rows, std::span<const float> change) = 0;
  /// add() and then scores() of other rows.
  virtual void add_then_score(std::span<const std::int32_t> added, std::span<const float> change,
                              std::span<const std::int32_t> rows, std::span<double> out) = 0;
  virtual void scale(float factor) = 0;
  /// Products of all pairs {rows, rows}. May be called from many threads at once.
  virtual void products(std::span<const std::int32_t> rows, float* out) const = 0;
  virtual double squared_norm() const = 0;
};

/// The weights themselves, {outputs, c}.
class FeatureSpace : public DualSpace {
 public:
  FeatureSpace(const SeenRows& seen, int outputs);
  void scores(std::span<const std::int32_t> rows, std::span<double> out) const override;
  void add(std::span<const std::int32_t> rows, std::span<const float> change) override;
  void add_then_score(std::span<const std::int32_t> added, std::span<const float> change,
                      std::span<const std::int32_t> rows, std::span<double> out) override;
  void scale(float factor) override;
  void products(std::span<const std::int32_t> rows, float* out) const override;
  double squared_norm() const override;
  const std::vector<float>& weights() const { return weights_; }  ///< on raw columns

 private:
  const SeenRows& seen_;
  int outputs_;
  std::vector<float> weights_;  ///< sum of a (x - mean) / variance
};

/// The scores of all rows, {outputs, n}, from one matrix of products: no features are read.
class GramSpace : public DualSpace {
 public:
  GramSpace(std::span<const float> gram, std::int64_t n, int outputs);
  void scores(std::span<const std::int32_t> rows, std::span<double> out) const override;
  void add(std::span<const std::int32_t> rows, std::span<const float> change) override;
  void add_then_score(std::span<const std::int32_t> added, std::span<const float> change,
                      std::span<const std::int32_t> rows, std::span<double> out) override;
  void scale(float factor) override;
  void products(std::span<const std::int32_t> rows, float* out) const override;
  double squared_norm() const override { return squared_norm_; }

 private:
  std::span<const float> gram_;
  std::int64_t n_;
  int outputs_;
  std::vector<float> scores_;
  double squared_norm_ = 0;
};

}  // namespace enxerto
