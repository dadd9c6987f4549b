// Ops in bfloat16 against the slow twins, on numbers that make rounding predictable.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/onednn/onednn.h"
#include "enxerto/kernels/ops.h"
#include "enxerto/tensor/bfloat16.h"
#include "enxerto/testing/random.h"
#include "enxerto/testing/run_op.h"

namespace enxerto {
namespace {

using tests::Floats;
using tests::Given;
using tests::Made;
using tests::whole_numbers;

Floats rounded(Floats values) {
  for (float& x : values) x = float_of_bf16(bf16_of(x));
  return values;
}

TEST(Bfloat16, RoundsToNearestTiesToEven) {
  const auto bits = [](std::uint32_t whole) { return bf16_of(std::bit_cast<float>(whole)).bits; };
  EXPECT_EQ(bits(0x3F808000), 0x3F80);  // a tie: the even one
  EXPECT_EQ(bits(0x3F818000), 0x3F82);
  EXPECT_EQ(bits(0x3F808001), 0x3F81);
  EXPECT_EQ(bits(0xBF807FFF), 0xBF80);
  EXPECT_EQ(bits(0x7F7FFFFF), 0x7F80);  // beyond the largest: infinite
  EXPECT_EQ(bits(0x7F800001), 0x7FC0);  // no number stays none
  EXPECT_EQ(float_of_bf16({0xC040}), -3.0f);
}

TEST(Bfloat16, SumsOfGradientsAreRounded) {
  for (const std::int64_t count : {1, 15, 16, 100003}) {
    const Layout layout{{.n = count}, 1, true};
    const Floats a = whole_numbers(count, 1000, 1), b = whole_numbers(count, 1000, 2);
    tests::Guarded from = tests::from_plain(layout, a), into = tests::from_plain(layout, b);
    accumulate(layout, from.data(), into.data());
    Floats wanted = rounded(b);
    const Floats added = rounded(a);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += added[i];
    EXPECT_EQ(tests::to_plain(layout, into.data()), rounded(wanted));
    EXPECT_TRUE(into.whole());
  }
}

struct ConvCase {
  Shape in;
  std::int64_t out;
  Window window;
  std::int64_t groups = 1;
  bool bias = false;
  bool stays_float = false;  ///< oneDNN has slow loops only
};

ConvSpec spec_of(const ConvCase& c) {
  const Window& w = c.window;
  const auto size = [](std::int64_t in, std::int64_t pads, std::int64_t reach, std::int64_t stride) {
    return (in + pads - reach) / stride + 1;
  };
  const Shape out{c.in.n, c.out,
                  size(c.in.h, w.pad_top + w.pad_bottom, w.dilation_h * (w.kernel_h - 1) + 1, w.stride_h),
                  size(c.in.w, w.pad_left + w.pad_right, w.dilation_w * (w.kernel_w - 1) + 1, w.stride_w)};
  return {.in = c.in, .out = out, .window = c.window, .groups = c.groups, .bias = c.bias};
}

Window square(std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

TEST(Bfloat16, ConvolutionsAreTheReferencesRoundedOnce) {
  if (!onednn::has_bf16()) GTEST_SKIP() << "this processor has no bfloat16 arithmetic";
  const ConvCase cases[] = {
      {{2, 32, 9, 7}, 48, square(1, 1, 0)},
      {{3, 48, 8, 8}, 16, square(1, 1, 0)},
      {{2, 32, 9, 7}, 64, square(1, 2, 0)},  // pixels between the places get no gradient
      {{2, 64, 8, 8}, 32, square(1, 2, 0)},  // the last row and column are never under the kernel
      {{5, 16, 10, 11}, 24, square(1, 3, 0)},
      {{2, 32, 5, 5}, 32, square(1, 1, 1), 1, false, true},
      {{3, 32, 12, 10}, 32, square(3, 1, 1)},
      {{3, 32, 7, 7}, 48, square(3, 1, 1)},  // few pixels: products
      {{4, 48, 14, 14}, 32, square(3, 2, 1)},
      {{2, 3, 20, 20}, 16, square(7, 2, 3)},
      {{2, 24, 6, 6}, 40, square(5, 1, 2)},
      {{1, 20, 1, 1}, 12, square(1, 1, 0)},
      {{2, 17, 5, 6}, 19, square(3, 1, 1)},  // channels that fill no vector
      {{2, 32, 8, 8}, 32, square(3, 1, 1), 2},
      {{2, 32, 8, 8}, 32, square(3, 1, 1), 32},  // depthwise
      {{3, 72, 9, 10}, 72, square(5, 2, 2), 72},
      {{2, 24, 7, 7}, 24, square(5, 1, 2), 24, true},
      {{2, 19, 8, 11}, 19, square(3, 2, 1), 19},
      {{2, 8, 6, 5}, 8, square(3, 1, 0), 8},
      {{2, 16, 9, 9}, 16, {.kernel_h = 3, .kernel_w = 3, .dilation_h = 2, .dilation_w = 2}, 16},
      {{2, 32, 9, 9}, 32, square(1, 1, 0), 1, true},
      {{2, 32, 9, 9}, 16, {.kernel_h = 3, .kernel_w = 1, .dilation_h = 2, .pad_top = 2}, 1, false},
  };
  for (const ConvCase& c : cases) {
    const ConvSpec spec = spec_of(c);
    const std::int64_t weights = c.out * c.in.c / c.groups * c.window.kernel_h * c.window.kernel_w;
    Given given{.in = {whole_numbers(c.in.size(), 3, 1)},
                .params = {whole_numbers(weights, 3, 2)},
                .dout = whole_numbers(spec.out.size(), 3, 3)};
    if (c.bias) given.params.push_back(whole_numbers(c.out, 3, 4));
    const std::vector<bool> all(given.params.size(), true);
    PlanArgs args{
        .in = {plain(c.in)}, .train = true, .wants_din = {true}, .wants_dparams = true, .bf16 = true};
    const auto op = make_conv(spec, args);
    args.bf16 = false, args.reference = true;
    const auto reference = make_conv(spec, args);
    SCOPED_TRACE(op->info().implementation + " on " + format_shape(c.in));
    const tests::RunChoices how{.wants_din = {true}, .wants_dparams = all};
    const Made wanted = tests::run_op(*reference, given, how), got = tests::run_op(*op, given, how);
    const bool half = op->info().out.bf16;
    EXPECT_EQ(half, !c.stays_float);
    if (half && c.groups == c.in.c) {
      EXPECT_NE(op->info().implementation.find("depthwise:"), std::string::npos);
    }
    EXPECT_EQ(got.out, half ? rounded(wanted.out) : wanted.out);
    EXPECT_EQ(got.din[0], half ? rounded(wanted.din[0]) : wanted.din[0]);
    EXPECT_EQ(got.dparams, wanted.dparams);  // float, and exact
  }
}

TEST(Bfloat16, BatchNormIsTheFloatOnesRounded) {
  const Shape shapes[] = {{4, 48, 9, 7}, {2, 40, 18, 17}, {3, 7, 5, 5}, {2, 2048, 3, 3}, {3, 16, 1, 2}};
  for (const Shape& shape : shapes)
    for (const bool residual : {false, true})
      for (const Activation activation : {Activation::none, Activation::relu, Activation::relu6})
        for (const std::int64_t block : {shape.c, preferred_block()}) {
          // An output a little below 6 is rounded to 6, and would let no gradient through.
          if (residual && activation == Activation::relu6) continue;
          const BatchNormSpec spec{.shape = shape,
                                   .batch_statistics = true,
                                   .residual = residual,
                                   .activation = {.kind = activation}};
          Given given;
          given.dout = rounded(whole_numbers(shape.size(), 100, 3));
          for (const std::uint64_t seed : {1, 2})
            if (seed == 1 || residual) {
              given.in.push_back(whole_numbers(shape.size(), 100, seed));
              for (float& x : given.in.back()) x = float_of_bf16(bf16_of(x * 0.0625f + 1.0f));
            }
          for (const std::uint64_t seed : {4, 5, 6, 7})
            given.params.push_back(whole_numbers(shape.c, 8, seed));
          for (float& x : given.params[3]) x = std::abs(x) + 1;
          PlanArgs args{.in = std::vector(given.in.size(), make_layout(shape, block)),
                        .train = true,
                        .wants_din = std::vector(given.in.size(), true),
                        .wants_dparams = true};
          const auto whole = make_batch_norm(spec, args);
          for (Layout& layout : args.in) layout.bf16 = true;
          const auto half = make_batch_norm(spec, args);
          ASSERT_TRUE(half->info().out.bf16);
          SCOPED_TRACE(format_layout(half->info().out));
          const tests::RunChoices how{.wants_din = args.wants_din,
                                      .wants_dparams = {true, true, false, false}};
          const Made wanted = tests::run_op(*whole, given, how), got = tests::run_op(*half, given, how);
          // Half a unit in the last of eight places, and what float itself is off; where float is at a
          // gate's edge (an output of zero) the bfloat16 one is too, for x is the same.
          const auto expect_close = [](const Floats& a, const Floats& b, double relative, double absolute) {
            ASSERT_EQ(a.size(), b.size());
            for (std::size_t i = 0; i < a.size(); ++i)
              ASSERT_NEAR(a[i], b[i], relative * std::abs(a[i]) + absolute) << i;
          };
          expect_close(wanted.out, got.out, 1.0 / 256, 1e-5);
          for (std::size_t i = 0; i < given.in.size(); ++i)
            expect_close(wanted.din[i], got.din[i], 1.0 / 256, 1e-3);
          for (const std::size_t p : {0, 1}) expect_close(wanted.dparams[p], got.dparams[p], 1e-4, 1e-2);
          for (const std::size_t p : {2, 3}) expect_close(wanted.params[p], got.params[p], 1e-5, 1e-5);
        }
}

TEST(Bfloat16, FactorsForChannelsAreTheFloatOnesRounded) {
  for (const Shape shape : {Shape{3, 48, 9, 8}, Shape{2, 13, 5, 7}})
    for (const std::int64_t block : {shape.c, preferred_block()}) {
      const Shape gate{shape.n, shape.c, 1, 1};
      const MultiplySpec spec{.a = shape, .b = gate};
      PlanArgs args{.in = {make_layout(shape, block), plain(gate)}, .train = true, .wants_din = {true, true}};
      const auto whole = make_multiply(spec, args);
      args.in[0].bf16 = true;
      const auto half = make_multiply(spec, args);
      SCOPED_TRACE(format_layout(half->info().in[0]));
      ASSERT_TRUE(half->info().out.bf16);
      EXPECT_FALSE(half->info().in[1].bf16);
      const Given given{.in = {whole_numbers(shape.size(), 9, 1), whole_numbers(gate.size(), 9, 2)},
                        .dout = whole_numbers(shape.size(), 9, 3)};
      const tests::RunChoices how{.wants_din = {true, true}, .wants_dparams = {}};
      const Made wanted = tests::run_op(*whole, given, how), got = tests::run_op(*half, given, how);
      EXPECT_EQ(got.out, rounded(wanted.out));
      EXPECT_EQ(got.din[0], rounded(wanted.din[0]));
      EXPECT_EQ(got.din[1], wanted.din[1]);  // sums of whole numbers
    }
}

TEST(Bfloat16, MeansOfMapsAreFloats) {
  for (const Shape shape : {Shape{3, 48, 8, 8}, Shape{2, 13, 4, 16}})
    for (const std::int64_t block : {shape.c, preferred_block()}) {
      const AdaptivePoolSpec spec{.in = shape, .out = {shape.n, shape.c, 1, 1}};
      PlanArgs args{.in = {make_layout(shape, block)}, .train = true, .wants_din = {true}};
      const auto whole = make_adaptive_pool(spec, args);
      args.in[0].bf16 = true;
      const auto half = make_adaptive_pool(spec, args);
      SCOPED_TRACE(format_layout(half->info().in[0]));
      ASSERT_TRUE(half->info().in[0].bf16);
      EXPECT_FALSE(half->info().out.bf16);
      const Given given{.in = {whole_numbers(shape.size(), 9, 1)},
                        .dout = whole_numbers(spec.out.size(), 9, 2)};
      const tests::RunChoices how{.wants_din = {true}, .wants_dparams = {}};
      const Made wanted = tests::run_op(*whole, given, how), got = tests::run_op(*half, given, how);
      EXPECT_EQ(got.out, wanted.out);  // powers of two many pixels
      EXPECT_EQ(got.din[0], rounded(wanted.din[0]));
    }
}

/// An Op in bfloat16 and in float on the same numbers, both made by `make`; the gradients with them.
template <class Make>
void expect_rounded(const Make& make, const Shape& shape, std::int64_t block) {
  PlanArgs args{.in = {make_layout(shape, block)}, .train = true, .wants_din = {true}};
  const std::unique_ptr<Op> whole = make(args);
  args.in[0].bf16 = true;
  const std::unique_ptr<Op> half = make(args);
  ASSERT_TRUE(half->info().out.bf16);
  SCOPED_TRACE(format_layout(half->info().in[0]));
  Given given;
  given.in.push_back(whole_numbers(shape.size(), 9, 1));
  for (float& x : given.in[0]) x *= 0.5f;
  given.dout = whole_numbers(whole->info().out.shape.size(), 9, 2);
  const tests::RunChoices how{.wants_din = {true}, .wants_dparams = {}};
  const Made wanted = tests::run_op(*whole, given, how), got = tests::run_op(*half, given, how);
  EXPECT_EQ(got.out, rounded(wanted.out));
  // A slope may be told by the output y, which is rounded by 2^-9: 1 - y^2 by 2^-8 at most, times 9.
  ASSERT_EQ(got.din[0].size(), wanted.din[0].size());
  for (std::size_t i = 0; i < wanted.din[0].size(); ++i)
    ASSERT_NEAR(got.din[0][i], wanted.din[0][i], std::abs(wanted.din[0][i]) / 100 + 9.0 / 256) << i;
}

TEST(Bfloat16, ActivationsAreTheFloatOnesRounded) {
  for (const Activation kind :
       {Activation::relu, Activation::relu6, Activation::leaky_relu, Activation::sigmoid, Activation::tanh,
        Activation::silu, Activation::hard_swish, Activation::hard_sigmoid})
    for (const Shape shape : {Shape{3, 48, 5, 7}, Shape{2, 13, 21, 19}})
      for (const std::int64_t block : {shape.c, preferred_block()})
        expect_rounded(
            [&](const PlanArgs& args) { return make_activation({.kind = kind, .alpha = 0.1f}, args); }, shape,
            block);
}

TEST(Bfloat16, PoolingIsTheFloatOneRounded) {
  for (const bool maximum : {true, false})
    for (const Shape shape : {Shape{3, 48, 9, 8}, Shape{2, 13, 12, 12}})
      for (const std::int64_t block : {shape.c, preferred_block()}) {
        const ConvSpec windows = spec_of({shape, shape.c, square(3, 2, 1)});
        const PoolSpec spec{.in = shape, .out = windows.out, .window = windows.window, .maximum = maximum};
        expect_rounded([&](const PlanArgs& args) { return make_pool(spec, args); }, shape, block);
      }
}

}  // namespace
}  // namespace enxerto
