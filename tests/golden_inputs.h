/// What the tests against golden numbers share: inputs as functions of their names, the same numbers as in
/// tools/make_golden.py, and how large tensors are compared.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/tensor/tensor.h"

namespace enxerto::golden {

using Doubles = std::vector<double>;

inline Rng hashed(std::string_view name) {
  std::uint64_t seed = 0xCBF29CE484222325ull;
  for (const char letter : name) seed = (seed ^ static_cast<unsigned char>(letter)) * 0x100000001B3ull;
  return Rng(seed);
}

/// In [-1, 1).
inline float uniform(const Rng& rng, std::uint64_t i) {
  return static_cast<float>(rng.at(i) >> 40) * 0x1p-23f - 1.0f;
}

struct Batch {
  Tensor images;
  std::vector<std::size_t> labels;
};

inline Batch batch_of(const Shape& shape, std::uint64_t classes, int number) {
  Batch batch{Tensor(shape), {}};
  const Rng tiles = hashed(text("tiles ", number)), noise = hashed(text("noise ", number));
  std::uint64_t i = 0;
  for (std::int64_t plane = 0; plane < shape.n * shape.c; ++plane)
    for (std::int64_t y = 0; y < shape.h; ++y)
      for (std::int64_t x = 0; x < shape.w; ++x, ++i) {
        const std::int64_t tile = (plane * 8 + y * 8 / shape.h) * 8 + x * 8 / shape.w;
        batch.images.data()[i] =
            uniform(tiles, static_cast<std::uint64_t>(tile)) + 0.125f * uniform(noise, i);
      }
  const Rng labels = hashed(text("labels ", number));
  for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(shape.n); ++n)
    batch.labels.push_back(labels.at(n) % classes);
  return batch;
}

inline double norm(const Doubles& values) {
  double sum = 0;
  for (const double x : values) sum += x * x;
  return std::sqrt(sum);
}

/// [2-norm, `count` sums with hash-made signs] of every step-th value.
inline Doubles sketch(const std::string& name, std::span<const float> values, std::size_t count = 16,
                      std::size_t step = 1) {
  const Rng signs = hashed("signs " + name);
  Doubles made(count + 1, 0.0);
  for (std::size_t i = 0; i * step < values.size(); ++i) {
    const std::uint64_t bits = signs.at(i);
    const double x = values[i * step];
    made[0] += x * x;
    for (std::size_t j = 0; j < count; ++j) made[j + 1] += bits >> j & 1 ? x : -x;
  }
  made[0] = std::sqrt(made[0]);
  return made;
}

/// ||got - wanted|| / ||wanted||.
inline double relative_error(const Doubles& got, const Doubles& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  Doubles difference;
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
    difference.push_back(got[i] - wanted[i]);
  return norm(difference) / norm(wanted);
}
/// The same, estimated: the mean square of a signed sum of the differences is the square of their norm.
inline double relative_error_of_sketch(const Doubles& got, const Doubles& wanted) {
  const double count = static_cast<double>(wanted.size()) - 1;
  Doubles difference;
  for (std::size_t j = 1; j < wanted.size(); ++j)
    difference.push_back((got[j] - wanted[j]) / std::sqrt(count));
  return std::max(norm(difference), std::abs(got[0] - wanted[0])) / wanted[0];
}

/// The mean cross-entropy, and `share` times its gradient by the logits.
inline double cross_entropy(const ConstView& logits, const std::vector<std::size_t>& labels, Tensor& dlogits,
                            double share = 1) {
  const auto classes = static_cast<std::size_t>(logits.shape.c), batch = labels.size();
  double loss = 0;
  for (std::size_t n = 0; n < batch; ++n) {
    const auto row = logits.data.subspan(n * classes, classes);
    double largest = row[0], sum = 0;
    for (const float x : row) largest = std::max<double>(largest, x);
    for (const float x : row) sum += std::exp(x - largest);
    loss += (std::log(sum) + largest - row[labels[n]]) / static_cast<double>(batch);
    for (std::size_t c = 0; c < classes; ++c)
      dlogits.data()[n * classes + c] = static_cast<float>(
          share * (std::exp(row[c] - largest) / sum - (c == labels[n] ? 1 : 0)) / static_cast<double>(batch));
  }
  return loss;
}

}  // namespace enxerto::golden
