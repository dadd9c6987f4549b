#include "enxerto/kernels/rows/rows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/kernels/reference/rows.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

std::vector<float> noise(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> made(count);
  for (float& each : made) each = rng.normal();
  return made;
}

struct Case {
  std::int64_t n, c;
  int classes;
};
constexpr Case cases[] = {{1, 1, 1}, {3, 5, 2}, {7, 33, 3}, {9, 257, 4}, {21, 300, 10}, {37, 1111, 13}};

struct Data {
  explicit Data(const Case& of)
      : x(noise(static_cast<std::size_t>(of.n * of.c), 1)),
        w(noise(static_cast<std::size_t>(of.classes * of.c), 2)),
        factors(noise(static_cast<std::size_t>(of.n * of.classes), 3)),
        mean(noise(static_cast<std::size_t>(of.c), 4)),
        scale(noise(static_cast<std::size_t>(of.c), 5)),
        rows(static_cast<std::size_t>(of.n)) {
    std::iota(rows.rbegin(), rows.rend(), 0);  // in another order than they lie
    view = {x.data(), of.c, mean.data(), scale.data()};
  }
  std::vector<float> x, w, factors, mean, scale;
  std::vector<std::int32_t> rows;
  cpu::RowView view;
};

std::vector<double> bounds(const std::vector<double>& magnitudes, double products) {
  std::vector<double> made;
  for (const double each : magnitudes) made.push_back(tests::kernel_bound(products, each));
  return made;
}

void compare_loops(const cpu::RowLoops& loops) {
  for (const Case& of : cases) {
    const Data data(of);
    for (const bool shifted : {false, true}) {
      cpu::RowView view = data.view;
      if (!shifted) view.mean = nullptr;
      std::vector<const float*> starts;
      for (const std::int32_t row : data.rows) starts.push_back(view.x + row * view.c);
      std::vector<float> out(static_cast<std::size_t>(of.n * of.classes));
      loops.scores(starts.data(), of.n, view.mean, data.w.data(), of.c, of.classes, of.c, out.data());
      EXPECT_TRUE(tests::within(reference::scores(view, data.rows, data.w.data(), of.classes), out,
                                bounds(reference::scores(view, data.rows, data.w.data(), of.classes, true),
                                       static_cast<double>(of.c))))
          << loops.name << ", scores of " << of.n << "x" << of.c << " for " << of.classes;
      std::vector<float> g(static_cast<std::size_t>(of.classes * of.c));
      loops.outer(starts.data(), of.n, view.mean, shifted ? view.scale : nullptr, data.factors.data(),
                  of.classes, of.c, g.data(), of.c);
      EXPECT_TRUE(tests::within(
          reference::outer(view, data.rows, data.factors, of.classes, shifted ? view.scale : nullptr), g,
          bounds(reference::outer(view, data.rows, data.factors, of.classes, shifted ? view.scale : nullptr,
                                  true),
                 static_cast<double>(of.n + 2))))
          << loops.name << ", outer of " << of.n << "x" << of.c << " for " << of.classes;
    }
  }
}

TEST(RowLoops, EveryInstructionSetAgreesWithDouble) {
  compare_loops(*cpu::row_loops_generic());
  if (chip_isa() != Isa::generic && cpu::row_loops_avx2()) compare_loops(*cpu::row_loops_avx2());
  if (chip_isa() == Isa::avx512 && cpu::row_loops_avx512()) compare_loops(*cpu::row_loops_avx512());
}

TEST(Rows, GramMatricesAgreeWithDouble) {
  for (const Case& of : cases) {
    const Data data(of);
    const std::vector<double> wanted = reference::gram(data.view, data.rows),
                              bound = bounds(reference::gram(data.view, data.rows, true),
                                             static_cast<double>(of.c));
    std::vector<float> got(static_cast<std::size_t>(of.n * of.n));
    cpu::gram_block(data.view, data.rows, got.data());
    EXPECT_TRUE(tests::within(wanted, got, bound));
    std::vector<std::int32_t> in_order(data.rows.rbegin(), data.rows.rend());
    cpu::gram(data.view, of.n, got.data());
    EXPECT_TRUE(tests::within(reference::gram(data.view, in_order), got,
                              bounds(reference::gram(data.view, in_order, true), static_cast<double>(of.c))));
  }
}

TEST(Rows, TheNumberOfThreadsDoesNotChangeABit) {
  const Case of{37, 1111, 13};
  const Data data(of);
  std::vector<std::vector<double>> scores;
  std::vector<std::vector<float>> outer;
  for (const int count : {1, 2, 5}) {
    set_threads(count);
    scores.emplace_back(static_cast<std::size_t>(of.n * of.classes));
    cpu::scores(data.view, data.rows, data.w.data(), of.classes, scores.back());
    outer.emplace_back(static_cast<std::size_t>(of.classes * of.c));
    cpu::add_outer(data.view, data.rows, data.factors, of.classes, outer.back().data());
  }
  set_threads(0);
  EXPECT_EQ(scores[0], scores[1]);
  EXPECT_EQ(scores[0], scores[2]);
  EXPECT_TRUE(tests::same_bits(outer[0], outer[1]));
  EXPECT_TRUE(tests::same_bits(outer[0], outer[2]));
  EXPECT_TRUE(
      tests::within(reference::scores(data.view, data.rows, data.w.data(), of.classes), scores[0],
                    bounds(reference::scores(data.view, data.rows, data.w.data(), of.classes, true), of.c)));
}

}  // namespace
}  // namespace enxerto
