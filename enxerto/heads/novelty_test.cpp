#include "enxerto/heads/novelty.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

using Matrix = std::vector<std::vector<double>>;

/// x of a x = b, by Gauss with the largest pivot.
std::vector<double> solve(Matrix a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t best = k;
    for (std::size_t i = k; i < n; ++i)
      if (std::abs(a[i][k]) > std::abs(a[best][k])) best = i;
    std::swap(a[k], a[best]);
    std::swap(b[k], b[best]);
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

/// What the papers say, with the covariance written out: the shrinkage by its definition (Ledoit & Wolf 2004,
/// lemmas 3.2 to 3.4), the distance with a system of equations solved for each row and class.
std::vector<double> slow_distances(const tests::OwnRows& rows, ConstView x) {
  const auto of_length_1 = [](ConstView from) {
    std::vector<double> made(from.data.begin(), from.data.end());
    const auto columns = static_cast<std::size_t>(from.shape.c);
    for (std::size_t begin = 0; begin < made.size(); begin += columns) {
      double length = 0;
      for (std::size_t j = begin; j < begin + columns; ++j) length = std::hypot(length, made[j]);
      for (std::size_t j = begin; j < begin + columns; ++j) made[j] /= length;
    }
    return made;
  };
  const std::vector<double> learnt = of_length_1(rows.x.view()), asked = of_length_1(x);
  const auto n = static_cast<std::size_t>(rows.x.shape().n), c = static_cast<std::size_t>(rows.x.shape().c);
  const auto classes = static_cast<std::size_t>(rows.classes);
  Matrix means(classes, std::vector<double>(c)), off(n, std::vector<double>(c)), s(c, std::vector<double>(c));
  std::vector<double> counts(classes);
  for (std::size_t i = 0; i < n; ++i) {
    ++counts[static_cast<std::size_t>(rows.y[i])];
    for (std::size_t j = 0; j < c; ++j) means[static_cast<std::size_t>(rows.y[i])][j] += learnt[i * c + j];
  }
  for (std::size_t k = 0; k < classes; ++k)
    for (double& each : means[k]) each /= counts[k];
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < c; ++j)
      off[i][j] = learnt[i * c + j] - means[static_cast<std::size_t>(rows.y[i])][j];
  for (const auto& row : off)
    for (std::size_t j = 0; j < c; ++j)
      for (std::size_t k = 0; k < c; ++k) s[j][k] += row[j] * row[k] / static_cast<double>(n);
  double m = 0, d2 = 0, b2 = 0;
  for (std::size_t j = 0; j < c; ++j) m += s[j][j] / static_cast<double>(c);
  for (std::size_t j = 0; j < c; ++j)
    for (std::size_t k = 0; k < c; ++k) {
      const double far = s[j][k] - (j == k ? m : 0);
      d2 += far * far;
      for (const auto& row : off) {
        const double error = row[j] * row[k] - s[j][k];
        b2 += error * error / static_cast<double>(n * n);
      }
    }
  const double delta = std::min(b2 / d2, 1.0);
  for (std::size_t j = 0; j < c; ++j)
    for (std::size_t k = 0; k < c; ++k) s[j][k] = (1 - delta) * s[j][k] + (j == k ? delta * m : 0);
  std::vector<double> made;
  for (std::size_t i = 0; i < static_cast<std::size_t>(x.shape.n); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < classes; ++k) {
      if (counts[k] == 0) continue;
      std::vector<double> from(c);
      for (std::size_t j = 0; j < c; ++j) from[j] = asked[i * c + j] - means[k][j];
      const std::vector<double> solved = solve(s, from);
      double sum = 0;
      for (std::size_t j = 0; j < c; ++j) sum += from[j] * solved[j];
      least = std::min(least, sum);
    }
    made.push_back(std::sqrt(least / static_cast<double>(c)));
  }
  return made;
}

/// Columns of unlike scale that go together.
tests::OwnRows mixed_rows(std::int64_t n, std::int64_t c, int classes, std::uint64_t seed) {
  tests::OwnRows rows = tests::made_up_rows(n, c, classes, seed);
  for (std::int64_t i = 0; i < n; ++i) {
    float* const row = rows.x.data().data() + i * c;
    for (std::int64_t j = 1; j < c; ++j) row[j] = row[j] * static_cast<float>(1 + j % 4) + 0.7f * row[j - 1];
  }
  return rows;
}

TEST(Novelty, IsWhatThePapersSayWhereAllDirectionsAreKnown) {
  for (const auto& [n, c] : {std::pair{60, 6}, {300, 9}, {14, 12}}) {
    const tests::OwnRows rows = mixed_rows(n, c, 3, 5), others = mixed_rows(20, c, 3, 6);
    const auto made = fit_novelty(rows.rows(), {.components = c});
    ASSERT_TRUE(made);
    for (const tests::OwnRows* each : {&rows, &others}) {
      const auto wanted = slow_distances(rows, each->x.view()), got = made->distances(each->x.view());
      for (std::size_t i = 0; i < wanted.size(); ++i)
        EXPECT_NEAR(got[i], wanted[i], 1e-4 * wanted[i]) << n << " rows, row " << i;
    }
  }
}

TEST(Novelty, BeyondTheKnownDirectionsTheVarianceIsTheMeanOfTheOthers) {
  const tests::OwnRows rows = mixed_rows(300, 9, 3, 5);
  const auto few = fit_novelty(rows.rows(), {.components = 3}),
             all = fit_novelty(rows.rows(), {.components = 9});
  ASSERT_EQ(few->variance.size(), 3u);
  const auto trace = [](const Novelty& of) {
    return std::accumulate(of.variance.begin(), of.variance.end(), 0.0) +
           static_cast<double>(of.columns() - std::ssize(of.variance)) * of.rest;
  };
  EXPECT_NEAR(trace(*few), trace(*all), 1e-6 * trace(*all));  // shrinking keeps it
  // The covariance written out, and a system of equations for each row and class.
  Matrix s(9, std::vector<double>(9));
  for (std::size_t j = 0; j < 9; ++j)
    for (std::size_t k = 0; k < 9; ++k) {
      s[j][k] = j == k ? few->rest : 0;
      for (std::size_t i = 0; i < 3; ++i)
        s[j][k] += (few->variance[i] - few->rest) * static_cast<double>(few->components.data()[i * 9 + j]) *
                   static_cast<double>(few->components.data()[i * 9 + k]);
    }
  const auto got = few->distances(rows.x.view());
  for (std::size_t row = 0; row < 300; ++row) {
    const std::span<const float> its = rows.x.data().subspan(row * 9, 9);
    double length = 0, least = std::numeric_limits<double>::infinity();
    for (const float each : its) length = std::hypot(length, static_cast<double>(each));
    for (std::size_t i = 0; i < 3; ++i) {
      std::vector<double> from(9);
      for (std::size_t j = 0; j < 9; ++j)
        from[j] = static_cast<double>(its[j]) / length - static_cast<double>(few->means.data()[i * 9 + j]);
      const std::vector<double> solved = solve(s, from);
      least = std::min(least, std::inner_product(from.begin(), from.end(), solved.begin(), 0.0));
    }
    EXPECT_NEAR(got[row], std::sqrt(least / 9), 1e-4 * got[row]) << row;
  }
}

TEST(Novelty, FindsWhatIsOfNoClassWithFewerRowsThanColumns) {
  const tests::OwnRows all = tests::made_up_rows(120, 200, 4, 8, 2);
  tests::OwnRows rows({.n = 60, .c = 200}, 4), fresh({.n = 60, .c = 200}, 4);
  for (std::size_t i = 0; i < 60; ++i) {
    std::ranges::copy(all.x.data().subspan(i * 200, 200),
                      rows.x.data().begin() + static_cast<std::ptrdiff_t>(i * 200));
    std::ranges::copy(all.x.data().subspan((i + 60) * 200, 200),
                      fresh.x.data().begin() + static_cast<std::ptrdiff_t>(i * 200));
    rows.y[i] = all.y[i];
  }
  const tests::OwnRows strange = tests::made_up_rows(60, 200, 4, 9, 2);  // other classes
  auto novelty = fit_novelty(rows.rows());
  novelty->threshold = threshold_for(novelty->distances(fresh.x.view()), 0.95);
  const auto far = novelty->distances(strange.x.view());
  EXPECT_GE(std::ranges::count_if(far, [&](double each) { return novelty->is_unknown(each); }), 58);
}

TEST(Novelty, HasTheSameBitsWhereverARowStands) {
  const tests::OwnRows rows = mixed_rows(80, 10, 3, 10);
  const auto novelty = fit_novelty(rows.rows(), {.components = 4});
  const auto all = novelty->distances(rows.x.view());
  for (const std::size_t i : {0u, 17u, 79u})
    EXPECT_EQ(novelty->distances({{.n = 1, .c = 10}, rows.x.data().subspan(i * 10, 10)}).front(), all[i]);
}

TEST(Novelty, RowsOfNoWeightAndClassesWithoutRowsAreNotThere) {
  tests::OwnRows rows = mixed_rows(60, 5, 3, 11), more = mixed_rows(61, 5, 3, 11);
  for (std::size_t j = 0; j < 5; ++j) more.x.data()[300 + j] = 1e6f;
  std::vector<float> weights(61, 1.0f);
  weights.back() = 0;
  Rows with{more.x.view(), more.y, 7, weights};
  const auto wanted = fit_novelty(rows.rows()), got = fit_novelty(with);
  EXPECT_EQ(got->means.shape().n, 3);
  EXPECT_EQ(got->distances(rows.x.view()), wanted->distances(rows.x.view()));
}

TEST(Novelty, OfMoreRowsThanWantedItTakesSomeOfEachClass) {
  tests::OwnRows rows = mixed_rows(900, 6, 3, 12);
  std::ranges::sort(rows.y);  // as a folder per class has them
  const auto some = fit_novelty(rows.rows(), {.most_rows = 300});
  EXPECT_EQ(some->means.shape().n, 3);
}

TEST(Novelty, NothingIsLearntOfRowsThatDoNotDiffer) {
  tests::OwnRows rows({.n = 12, .c = 4}, 3);
  for (std::size_t i = 0; i < 12; ++i) {
    rows.y[i] = static_cast<std::int32_t>(i % 3);
    for (std::size_t j = 0; j < 4; ++j) rows.x.data()[i * 4 + j] = static_cast<float>(i % 3);
  }
  EXPECT_FALSE(fit_novelty(rows.rows()));
  tests::OwnRows one = mixed_rows(3, 4, 3, 13);  // a row for each class
  EXPECT_FALSE(fit_novelty(one.rows()));
}

TEST(Novelty, TheThresholdLetsTheShareThrough) {
  std::vector<double> distances;
  for (int i = 100; i > 0; --i) distances.push_back(i);
  EXPECT_EQ(threshold_for(distances, 0.95), 95.5);
  EXPECT_EQ(threshold_for(distances, 1), 100 * (1 + 1e-4));
  EXPECT_EQ(threshold_for(distances, 0.001), 1.5);
  EXPECT_EQ(threshold_for({3, 1, 2}, 0.95), 3 * (1 + 1e-4));
  EXPECT_EQ(threshold_for({1, 2, 2, 2, 4}, 0.4), 3);  // equal ones go together
  EXPECT_EQ(threshold_for({}, 0.95), std::numeric_limits<double>::infinity());
}

TEST(Novelty, ComesBackFromItsFile) {
  const tests::OwnRows rows = mixed_rows(80, 10, 3, 14);
  auto novelty = fit_novelty(rows.rows(), {.components = 4});
  novelty->threshold = 1.25;
  novelty->answered = 0.9;
  const Novelty back = novelty_from(tensors_of(*novelty), nlohmann::json::parse(novelty->to_json().dump()));
  EXPECT_EQ(back.distances(rows.x.view()), novelty->distances(rows.x.view()));
  EXPECT_EQ(back.threshold, 1.25);
  EXPECT_EQ(back.answered, 0.9);
  const Tensor other({.n = 1, .c = 9});
  EXPECT_THROW(back.distances(other.view()), Error);
}

TEST(Novelty, AFileThatLiesIsRefused) {
  const tests::OwnRows rows = mixed_rows(40, 6, 3, 15);
  auto novelty = fit_novelty(rows.rows(), {.components = 3});
  novelty->threshold = 1;
  const auto refused = [&](const std::function<void(NamedTensors&, nlohmann::json&)>& change) {
    NamedTensors tensors = tensors_of(*novelty);
    nlohmann::json json = novelty->to_json();
    change(tensors, json);
    try {
      novelty_from(tensors, json);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::corrupt;
    }
    return false;
  };
  EXPECT_FALSE(refused([](NamedTensors&, nlohmann::json&) {}));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(refused([i](NamedTensors& tensors, nlohmann::json&) {
      tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i));
    }));
    for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity()})
      EXPECT_TRUE(
          refused([&](NamedTensors& tensors, nlohmann::json&) { tensors[i].value.data()[1] = value; }));
    EXPECT_TRUE(refused([i](NamedTensors& tensors, nlohmann::json&) {
      tensors[i].dims.back() += 1;
      tensors[i].value = Tensor(shape_of(tensors[i].dims));
      std::ranges::fill(tensors[i].value.data(), 1.0f);
    }));
    EXPECT_TRUE(refused([i](NamedTensors& tensors, nlohmann::json&) { tensors[i].dims.push_back(1); }));
    EXPECT_TRUE(refused([i](NamedTensors& tensors, nlohmann::json&) {
      tensors[i].dims = std::vector<std::int64_t>(tensors[i].dims.size(), 0);
      tensors[i].value = Tensor();
    }));
  }
  for (const float value : {0.0f, -1.0f})
    EXPECT_TRUE(refused([&](NamedTensors& tensors, nlohmann::json&) { tensors[2].value.data()[3] = value; }));
  EXPECT_TRUE(refused([](NamedTensors& tensors, nlohmann::json&) {
    tensors.push_back({"more", {1}, Tensor({.n = 1})});
  }));
  for (const char* key : {"threshold", "answered"}) {
    EXPECT_TRUE(refused([&](NamedTensors&, nlohmann::json& json) { json.erase(key); }));
    EXPECT_TRUE(refused([&](NamedTensors&, nlohmann::json& json) { json[key] = "1"; }));
    EXPECT_TRUE(refused([&](NamedTensors&, nlohmann::json& json) { json[key] = nullptr; }));
  }
  for (const char* wrong : {"null", "3", "[]", "\"threshold\""})
    EXPECT_TRUE(refused([&](NamedTensors&, nlohmann::json& json) { json = nlohmann::json::parse(wrong); }));
}

TEST(Novelty, NumbersThatAreFlippedEndInAnAnswerOrAnError) {
  const tests::OwnRows rows = mixed_rows(40, 6, 3, 16);
  const auto novelty = fit_novelty(rows.rows(), {.components = 3});
  Rng rng(8);
  int refused = 0;
  for (int i = 0; i < 600; ++i) {
    NamedTensors tensors = tensors_of(*novelty);
    const std::span<float> numbers = tensors[rng.below(tensors.size())].value.data();
    numbers[rng.below(numbers.size())] =
        i % 2 ? std::bit_cast<float>(static_cast<std::uint32_t>(rng.bits()))
              : static_cast<float>(static_cast<std::int64_t>(rng.below(200)) - 100);
    try {
      for (const double each : novelty_from(tensors, novelty->to_json()).distances(rows.x.view()))
        EXPECT_FALSE(std::isnan(each));
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 20);
}

}  // namespace
}  // namespace enxerto
