#include "enxerto/heads/knn.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

using tests::golden2;
using tests::OwnRows;

TEST(Knn, ProbabilitiesAreThoseOfScikitLearn) {
  const OwnRows rows(golden2().at("tall")), queries(golden2().at("tall_queries"));
  const auto check = [&](const char* name, const KnnConfig& config) {
    const Knn knn = fit_knn(rows.rows(), config);
    tests::expect_near_all(golden2().at("knn").at(name), knn.probabilities(queries.x.view()).data(), 1e-5,
                           1e-5, name);
  };
  check("uniform", {.standardize = false});
  check("distance", {.vote = Vote::distance, .standardize = false});
  check("cosine", {.metric = DistanceKind::cosine, .vote = Vote::distance, .standardize = false});
}

/// Every distance in double, sorted: the slow twin.
std::vector<std::int64_t> slow_neighbours(const Knn& knn, std::span<const float> row) {
  std::vector<std::pair<double, std::int64_t>> all;
  const auto columns = static_cast<std::size_t>(knn.columns());
  for (std::int64_t i = 0; i < knn.x.shape().n; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      const double off = static_cast<double>(row[j]) -
                         static_cast<double>(knn.x.data()[static_cast<std::size_t>(i) * columns + j]);
      sum += off * off;
    }
    all.emplace_back(sum, i);
  }
  std::ranges::sort(all);
  std::vector<std::int64_t> made;
  for (int i = 0; i < knn.k; ++i) made.push_back(all[static_cast<std::size_t>(i)].second);
  return made;
}

TEST(Knn, NeighboursAreExactAlsoFarFromTheOriginAndAmongEquals) {
  for (const float shift : {0.0f, 1000.0f, 1e30f}) {
    OwnRows rows = tests::made_up_rows(200, 20, 4, 21);
    for (float& each : rows.x.data())
      each = std::round(each * 2) / 2 + shift;  // many rows at equal distances
    if (shift > 1e20f)
      for (std::size_t i = 0; i < rows.x.data().size(); i += 3)
        rows.x.data()[i] *= 1 + 0.01f * static_cast<float>(i % 7);
    const Knn knn = fit_knn(rows.rows(), {.k = 7, .standardize = false});
    const auto found = knn.neighbours(rows.x.view());
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::vector<std::int64_t> got;
      for (const Neighbour& each : found[i]) got.push_back(each.row);
      EXPECT_EQ(got, slow_neighbours(knn, rows.x.data().subspan(i * 20, 20)))
          << "row " << i << ", shift " << shift;
    }
  }
}

TEST(Knn, OfEqualNeighboursTheEarlierIsNearerAndOfEqualVotesTheLowerClassWins) {
  OwnRows rows({.n = 4, .c = 1}, 2);
  const float values[] = {1, -1, 1, -1};
  std::copy(std::begin(values), std::end(values), rows.x.data().begin());
  rows.y = {1, 0, 0, 1};
  const Knn knn = fit_knn(rows.rows(), {.k = 3, .standardize = false});
  const float zero[] = {0};
  const auto found = knn.neighbours({{.n = 1, .c = 1}, zero});
  ASSERT_EQ(found[0].size(), 3u);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(found[0][static_cast<std::size_t>(i)].row, i);
  EXPECT_FLOAT_EQ(knn.probabilities({{.n = 1, .c = 1}, zero}).data()[0], 2.0f / 3);
}

TEST(Knn, AnEqualRowAloneVotesByDistance) {
  const OwnRows rows = tests::made_up_rows(30, 3, 3, 22);
  const Knn knn = fit_knn(rows.rows(), {.vote = Vote::distance});
  const Tensor found = knn.probabilities(rows.x.view());
  for (std::size_t i = 0; i < 30; ++i)
    EXPECT_EQ(found.data()[i * 3 + static_cast<std::size_t>(rows.y[i])], 1.0f);
}

TEST(Knn, TheNumberOfThreadsChangesNoNeighbour) {
  const OwnRows rows = tests::made_up_rows(300, 16, 3, 23);
  const Knn knn = fit_knn(rows.rows(), {});
  const int before = threads();
  std::vector<Tensor> found;
  for (const int count : {1, 2, 5}) {
    set_threads(count);
    found.push_back(knn.probabilities(rows.x.view()));
  }
  set_threads(before);
  for (const Tensor& each : found) EXPECT_TRUE(std::ranges::equal(each.data(), found[0].data()));
}

TEST(Knn, MoreNeighboursThanRowsAreAnError) {
  const OwnRows rows = tests::made_up_rows(10, 4, 2, 6);
  EXPECT_THROW(fit_knn(rows.rows(), {.k = 11}), Error);
  EXPECT_THROW(fit_knn(rows.rows(), {.k = 0}), Error);
  EXPECT_NO_THROW(fit_knn(rows.rows(), {.k = 10}));
}

}  // namespace
}  // namespace enxerto
