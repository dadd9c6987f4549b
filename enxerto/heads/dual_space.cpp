#include "enxerto/heads/dual_space.h"

#include <algorithm>

namespace enxerto {

SeenRows::SeenRows(ConstView x, Standardization by)
    : x_(x.data.data()),
      n_(x.shape.n),
      c_(x.shape.c),
      mean_(std::move(by.mean)),
      inverse_scale_(std::move(by.scale)) {
  for (float& each : inverse_scale_) {
    each = 1 / each;
    inverse_variance_.push_back(each * each);
  }
}

cpu::RowView SeenRows::view() const {
  return {x_, c_, mean_.empty() ? nullptr : mean_.data(),
          inverse_scale_.empty() ? nullptr : inverse_scale_.data()};
}

LinearHead SeenRows::head(std::span<const float> weights, std::span<const double> bias) const {
  LinearHead made(static_cast<int>(bias.size()), c_);
  std::copy(weights.begin(), weights.end(), made.w.data().begin());
  for (std::size_t k = 0; k < bias.size(); ++k) {
    double b = bias[k];
    for (std::size_t j = 0; j < mean_.size(); ++j)
      b -= static_cast<double>(mean_[j]) * static_cast<double>(weights[k * static_cast<std::size_t>(c_) + j]);
    made.b.data()[k] = static_cast<float>(b);
  }
  return made;
}

double SeenRows::bias_at_mean(const LinearHead& head, int k) const {
  double b = static_cast<double>(head.b.data()[static_cast<std::size_t>(k)]);
  const std::span<const float> w =
      head.w.data().subspan(static_cast<std::size_t>(k * c_), static_cast<std::size_t>(c_));
  for (std::size_t j = 0; j < mean_.size(); ++j)
    b += static_cast<double>(mean_[j]) * static_cast<double>(w[j]);
  return b;
}

FeatureSpace::FeatureSpace(const SeenRows& seen, int outputs)
    : seen_(seen), outputs_(outputs), weights_(static_cast<std::size_t>(outputs * seen.c())) {}

void FeatureSpace::scores(std::span<const std::int32_t> rows, std::span<double> out) const {
  cpu::scores(seen_.view(), rows, weights_.data(), outputs_, out);
}

void FeatureSpace::add(std::span<const std::int32_t> rows, std::span<const float> change) {
  const std::vector<float>& by = seen_.inverse_variance();
  cpu::add_outer(seen_.view(), rows, change, outputs_, weights_.data(), by.empty() ? nullptr : by.data());
}

void FeatureSpace::add_then_score(std::span<const std::int32_t> added, std::span<const float> change,
                                  std::span<const std::int32_t> rows, std::span<double> out) {
  const std::vector<float>& by = seen_.inverse_variance();
  cpu::add_then_score(seen_.view(), {added, change, by.empty() ? nullptr : by.data()}, weights_.data(),
                      outputs_, rows, out);
}

void FeatureSpace::scale(float factor) {
  for (float& each : weights_) each *= factor;
}

void FeatureSpace::products(std::span<const std::int32_t> rows, float* out) const {
  cpu::gram_block(seen_.view(), rows, out);
}

double FeatureSpace::squared_norm() const {
  const std::vector<float>& by = seen_.inverse_variance();
  const auto columns = static_cast<std::size_t>(seen_.c());
  double sum = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto w = static_cast<double>(weights_[i]);
    sum += by.empty() ? w * w : w * w / static_cast<double>(by[i % columns]);
  }
  return sum;
}

GramSpace::GramSpace(std::span<const float> gram, std::int64_t n, int outputs)
    : gram_(gram), n_(n), outputs_(outputs), scores_(static_cast<std::size_t>(n * outputs)) {}

void GramSpace::scores(std::span<const std::int32_t> rows, std::span<double> out) const {
  const auto outputs = static_cast<std::size_t>(outputs_);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t k = 0; k < outputs; ++k)
      out[i * outputs + k] =
          static_cast<double>(scores_[k * static_cast<std::size_t>(n_) + static_cast<std::size_t>(rows[i])]);
}

void GramSpace::add(std::span<const std::int32_t> rows, std::span<const float> change) {
  // ||W||^2 grows by change (scores before + scores after).
  std::vector<double> before(change.size()), after(change.size());
  scores(rows, before);
  cpu::add_outer({gram_.data(), n_, nullptr, nullptr}, rows, change, outputs_, scores_.data());
  scores(rows, after);
  for (std::size_t i = 0; i < change.size(); ++i)
    squared_norm_ += static_cast<double>(change[i]) * (before[i] + after[i]);
}

void GramSpace::add_then_score(std::span<const std::int32_t> added, std::span<const float> change,
                               std::span<const std::int32_t> rows, std::span<double> out) {
  if (!added.empty()) add(added, change);
  scores(rows, out);
}

void GramSpace::scale(float factor) {
  for (float& each : scores_) each *= factor;
  squared_norm_ *= static_cast<double>(factor) * static_cast<double>(factor);
}

void GramSpace::products(std::span<const std::int32_t> rows, float* out) const {
  for (const std::int32_t a : rows)
    for (const std::int32_t b : rows) *out++ = gram_[static_cast<std::size_t>(a * n_ + b)];
}

}  // namespace enxerto
