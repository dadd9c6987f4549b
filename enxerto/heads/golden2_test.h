// What scikit-learn says (tools/make_heads2_golden.py), and rows that are made up. For tests.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/heads/rows.h"

namespace enxerto::tests {

/// The tests run in the repository's root.
inline const nlohmann::json& golden2() {
  static const auto once = nlohmann::json::parse(read_text_file("enxerto/heads/golden2.json"));
  return once;
}

/// Rows that own their numbers.
struct OwnRows {
  Tensor x;
  std::vector<std::int32_t> y;
  int classes = 0;

  OwnRows(Shape shape, int count) : x(shape), y(static_cast<std::size_t>(shape.n)), classes(count) {}
  explicit OwnRows(const nlohmann::json& from) : x({.n = from.at("n"), .c = from.at("c")}), y(from.at("y")) {
    const std::vector<float> values = from.at("x");
    std::copy(values.begin(), values.end(), x.data().begin());
    classes = *std::max_element(y.begin(), y.end()) + 1;
  }
  Rows rows() const { return {x.view(), y, classes}; }
};

/// Overlapping clouds, one for each class, about a few directions.
inline OwnRows made_up_rows(std::int64_t n, std::int64_t c, int classes, std::uint64_t seed,
                            float apart = 1) {
  OwnRows made({.n = n, .c = c}, classes);
  Rng rng(seed);
  std::vector<float> centres(static_cast<std::size_t>(classes * c));
  for (float& each : centres) each = apart * rng.normal();
  for (std::int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::int32_t>(i % classes);
    made.y[static_cast<std::size_t>(i)] = k;
    for (std::int64_t j = 0; j < c; ++j)
      made.x.data()[static_cast<std::size_t>(i * c + j)] =
          centres[static_cast<std::size_t>(k * c + j)] + rng.normal();
  }
  return made;
}

template <class Got>
void expect_near_all(const nlohmann::json& wanted_json, const Got& got, double absolute, double relative,
                     const std::string& where) {
  const std::vector<double> wanted = wanted_json;
  ASSERT_EQ(wanted.size(), got.size()) << where;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(wanted[i], static_cast<double>(got[i]), absolute + relative * std::abs(wanted[i]))
        << where << ", element " << i;
}

}  // namespace enxerto::tests
