#include "enxerto/kernels/direct/direct.h"

#include <gtest/gtest.h>

#include "enxerto/core/system.h"
#include "enxerto/kernels/ops.h"
#include "enxerto/testing/random.h"
#include "enxerto/testing/run_op.h"

namespace enxerto {
namespace {

using tests::Floats;
using tests::whole_numbers;

struct Case {
  Shape in;
  std::int64_t out_channels, stride, pad_before, pad_behind;
};

ConvSpec spec_of(const Case& c, std::int64_t kernel) {
  const auto size = [&](std::int64_t in) {
    return (in + c.pad_before + c.pad_behind - kernel) / c.stride + 1;
  };
  return {.in = c.in,
          .out = {c.in.n, c.out_channels, size(c.in.h), size(c.in.w)},
          .window = {.kernel_h = kernel,
                     .kernel_w = kernel,
                     .stride_h = c.stride,
                     .stride_w = c.stride,
                     .pad_top = c.pad_before,
                     .pad_left = c.pad_before,
                     .pad_bottom = c.pad_behind,
                     .pad_right = c.pad_behind}};
}

/// Against the reference, which is right to the last bit on whole numbers, but for hard_swish, whose sixth is
/// rounded.
void expect_same(ConvSpec spec, const Layout& offered) {
  tests::Given given;
  given.in = {whole_numbers(spec.in.size(), 3, 1)};
  const std::int64_t row = spec.in.c / spec.groups * spec.window.kernel_h * spec.window.kernel_w;
  given.params = {whole_numbers(spec.out.c * row, 3, 2)};
  if (spec.bias) given.params.push_back(whole_numbers(spec.out.c, 3, 3));
  for (const Activation kind :
       {Activation::none, Activation::relu, Activation::relu6, Activation::hard_swish}) {
    spec.activation.kind = kind;
    PlanArgs args;
    args.in = {offered};
    const auto op = make_conv(spec, args);
    args.reference = true;
    const auto reference = make_conv(spec, args);
    SCOPED_TRACE(format_layout(offered) + " to " + format_layout(op->info().out));
    ASSERT_EQ(op->info().implementation, "direct:avx512");
    const Floats wanted = tests::run_op(*reference, given, {}).out, got = tests::run_op(*op, given, {}).out;
    if (kind != Activation::hard_swish) {
      EXPECT_EQ(wanted, got);
      continue;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(wanted[i], got[i], 1e-6 * std::abs(wanted[i]));
  }
}

TEST(Direct, DepthwiseIsTheReference) {
  if (!direct::kernels()) GTEST_SKIP() << "this processor has no AVX-512";
  const Case cases[] = {
      {{2, 16, 14, 14}, 16, 1, 2, 2}, {{3, 24, 7, 7}, 24, 1, 2, 2},   {{1, 40, 9, 31}, 40, 1, 2, 2},
      {{2, 8, 28, 28}, 8, 2, 2, 2},   {{1, 48, 15, 13}, 48, 2, 1, 2}, {{5, 72, 5, 6}, 72, 1, 0, 0},
      {{2, 32, 1, 1}, 32, 1, 2, 2},   {{1, 16, 2, 3}, 16, 2, 2, 2},   {{1, 16, 60, 70}, 16, 1, 2, 2},
      {{1, 16, 3, 20}, 16, 1, 7, 9},  {{2, 96, 11, 10}, 96, 2, 0, 0},
  };
  for (const Case& c : cases)
    for (const bool bias : {false, true}) {
      ConvSpec spec = spec_of(c, 5);
      spec.groups = c.in.c;
      spec.bias = bias;
      for (const std::int64_t block : {std::int64_t{1}, c.in.c, std::int64_t{16}, std::int64_t{8}})
        expect_same(spec, make_layout(c.in, block));
    }
}

TEST(Direct, OfFewChannelsIsTheReference) {
  if (!direct::kernels()) GTEST_SKIP() << "this processor has no AVX-512";
  const Case cases[] = {
      {{2, 3, 28, 28}, 16, 2, 1, 1}, {{1, 3, 33, 31}, 24, 2, 0, 1}, {{3, 1, 28, 28}, 8, 1, 1, 1},
      {{1, 4, 9, 70}, 40, 1, 1, 1},  {{2, 3, 3, 3}, 32, 1, 0, 0},   {{1, 2, 1, 1}, 16, 1, 1, 1},
      {{1, 3, 2, 5}, 48, 2, 4, 6},   {{1, 3, 97, 96}, 16, 2, 1, 1},
  };
  for (const Case& c : cases)
    for (const bool bias : {false, true}) {
      ConvSpec spec = spec_of(c, 3);
      spec.bias = bias;
      expect_same(spec, plain(c.in));
    }
}

TEST(Direct, TakesOtherStridesDownThanAcross) {
  if (!direct::kernels()) GTEST_SKIP() << "this processor has no AVX-512";
  ConvSpec spec = spec_of({{2, 16, 23, 20}, 16, 1, 2, 2}, 5);
  spec.groups = 16;
  spec.window.stride_h = 3, spec.window.pad_top = 0;
  spec.out.h = 7;
  expect_same(spec, channels_last(spec.in));
}

/// Bands of rows depend on the threads, sums do not; and what was planned for some threads runs with those.
TEST(Direct, GivesTheSameBitsForAnyNumberOfThreads) {
  if (!direct::kernels()) GTEST_SKIP() << "this processor has no AVX-512";
  for (const bool depthwise : {true, false}) {
    ConvSpec spec = spec_of({{1, depthwise ? 40 : 3, 21, 19}, 40, 1, 1, 1}, depthwise ? 5 : 3);
    if (depthwise) spec.groups = 40;
    tests::Given given;
    Rng rng(1);
    const std::int64_t row = spec.in.c / spec.groups * spec.window.kernel_h * spec.window.kernel_w;
    given.in = {Floats(static_cast<std::size_t>(spec.in.size()))};
    given.params = {Floats(static_cast<std::size_t>(spec.out.c * row)), Floats(40)};
    for (Floats* block : {&given.in[0], &given.params[0], &given.params[1]})
      for (float& x : *block) x = rng.normal();
    PlanArgs args;
    args.in = {plain(spec.in)};
    Floats wanted;
    for (const int planned : {1, 2, 5})
      for (const int running : {planned, 7}) {
        set_threads(planned);
        const auto op = make_conv(spec, args);
        set_threads(running);
        const Floats got = tests::run_op(*op, given, {}).out;
        if (wanted.empty()) wanted = got;
        EXPECT_TRUE(tests::same_bits(wanted, got))
            << planned << " threads planned, " << running << " running";
      }
    set_threads(0);
  }
}

/// What is not theirs stays with the others.
TEST(Direct, TakesNothingElse) {
  const Layout offered = plain({2, 3, 20, 20});
  const ConvSpec first = spec_of({offered.shape, 16, 2, 1, 1}, 3);
  PlanArgs answers;
  answers.in = {offered};
  EXPECT_EQ(direct::suits(first, answers), direct::kernels() != nullptr);
  PlanArgs trained = answers, reordered = answers;
  trained.wants_dparams = true;
  reordered.in = {channels_last(offered.shape)};
  EXPECT_FALSE(direct::suits(first, trained));
  EXPECT_FALSE(direct::suits(first, reordered));
  for (const auto& change : std::initializer_list<void (*)(ConvSpec&)>{
           [](ConvSpec& spec) { spec.residual = true; }, [](ConvSpec& spec) { spec.window.stride_w = 3; },
           [](ConvSpec& spec) { spec.window.dilation_h = 2; }, [](ConvSpec& spec) { spec.out.c = 20; },
           [](ConvSpec& spec) { spec.activation.kind = Activation::silu; },
           [](ConvSpec& spec) { spec.window.kernel_w = 5; }}) {
    ConvSpec other = first;
    change(other);
    EXPECT_FALSE(direct::suits(other, answers));
  }
}

}  // namespace
}  // namespace enxerto
