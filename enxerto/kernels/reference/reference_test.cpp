#include "enxerto/kernels/reference/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "enxerto/testing/differences.h"
#include "enxerto/testing/tolerance.h"

// Answers from PyTorch were printed by tools/reference_answers.py.

namespace enxerto::reference {
namespace {

using tests::distinct_block;
using tests::draw_block;
using tests::expect_gradients;

/// 0.1, -0.2, 0.3, ...
Block ramp(int size) {
  Block made;
  for (int i = 1; i <= size; ++i) made.push_back(i % 2 == 0 ? -0.1 * i : 0.1 * i);
  return made;
}

/// Equal to the twelve digits that were printed.
testing::AssertionResult answers(const Block& wanted, const Block& got) {
  std::vector<double> bound;
  for (const double x : wanted) bound.push_back(1e-11 * std::abs(x) + 1e-12);
  return tests::within(wanted, got, bound);
}

Block forward(const Kernel& kernel, const std::vector<Block>& in, std::vector<Block> params = {},
              Rng rng = {}) {
  Block out;
  kernel.forward(in, params, out, rng);
  return out;
}

TEST(Convolution, OfTheLectureIsMinus25) {
  // The classic three channels with zeros around them: 308 - 498 + 164 + 1 at the upper left.
  const ConvSpec spec{
      .in = {1, 3, 2, 2},
      .out = {1, 1, 2, 2},
      .window = {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1}};
  const Block picture{156, 155, 153, 154, 167, 166, 164, 165, 163, 162, 160, 161};
  const Block weight{-1, -1, 1, 0, 1,  -1, 0, 1,  1,   //
                     1,  0,  0, 1, -1, -1, 1, 0,  -1,  //
                     0,  1,  1, 0, 1,  0,  1, -1, 1};
  EXPECT_EQ(forward(*conv(spec), {picture}, {weight, {1}})[0], 308 - 498 + 164 + 1);
}

TEST(Convolution, IsPyTorchs) {
  const ConvSpec spec{
      .in = {1, 4, 5, 4},
      .out = {1, 6, 3, 2},
      .window = {.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .dilation_w = 2, .pad_top = 1, .pad_bottom = 1},
      .groups = 2};
  EXPECT_TRUE(answers({-1.06, 1.3,  -1.88, 2.14, -1.38, 1.62, -2.32, 1.96, -3.62,  3.28,  -2.64, 2.28,
                       -2.78, 3.42, -4.56, 5.22, -3.1,  3.74, -6.04, 5.28, -9.1,   8.36,  -6.36, 5.6,
                       -6.1,  7.14, -9.64, 10.7, -6.42, 7.46, -8.16, 7,    -12.18, 11.04, -8.48, 7.32},
                      forward(*conv(spec), {ramp(80)}, {ramp(72), ramp(6)})));
}

TEST(Convolution, AddsItsResidualBeforeTheActivation) {
  const ConvSpec spec{.in = {1, 1, 1, 2},
                      .out = {1, 1, 1, 2},
                      .bias = false,
                      .residual = true,
                      .activation = {.kind = Activation::relu}};
  EXPECT_EQ(forward(*conv(spec), {{3, -5}, {-2, 4}}, {{2}}), (Block{4, 0}));
  std::vector<Block> din, dparams;
  EXPECT_THROW(conv(spec)->backward({{3, -5}, {-2, 4}}, {{2}}, {4, 0}, {1, 1}, din, dparams, {}),
               std::logic_error);
}

TEST(Convolution, GradientsAreDifferences) {
  struct Case {
    Shape in, out;
    Window window;
    std::int64_t groups;
    bool bias;
  };
  const Case cases[] = {
      {{2, 3, 5, 4},
       {2, 4, 5, 4},
       {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1},
       1,
       true},
      {{1, 4, 6, 5},
       {1, 6, 3, 2},
       {.kernel_h = 2, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_right = 1},
       2,
       false},
      {{2, 3, 6, 6},
       {2, 3, 3, 5},
       {.kernel_h = 3, .kernel_w = 2, .dilation_h = 2, .dilation_w = 3, .pad_top = 1, .pad_left = 2},
       3,
       true},
      {{2, 5, 3, 3}, {2, 2, 2, 2}, {.stride_h = 2, .stride_w = 2}, 1, true},
  };
  for (const Case& c : cases) {
    const ConvSpec spec{.in = c.in, .out = c.out, .window = c.window, .groups = c.groups, .bias = c.bias};
    const std::int64_t weights = c.out.c * c.in.c / c.groups * c.window.kernel_h * c.window.kernel_w;
    std::vector<Block> params{draw_block(weights, Rng(2))};
    if (c.bias) params.push_back(draw_block(c.out.c, Rng(3)));
    expect_gradients(*conv(spec), {draw_block(c.in.size(), Rng(1))}, params, Rng(4));
  }
}

TEST(Linear, IsTheTextbooks) {
  const LinearSpec spec{.in = {2, 1, 1, 2}, .out = {2, 3}};
  // [1 2; 3 4] times the transpose of [1 0; 0 1; 1 -1], plus [10 20 30].
  EXPECT_EQ(forward(*linear(spec), {{1, 2, 3, 4}}, {{1, 0, 0, 1, 1, -1}, {10, 20, 30}}),
            (Block{11, 22, 29, 13, 24, 29}));
  const LinearSpec fused{
      .in = {1, 2}, .out = {1, 2}, .bias = false, .activation = {.kind = Activation::relu}};
  EXPECT_EQ(forward(*linear(fused), {{1, 2}}, {{1, 1, -1, -1}}), (Block{3, 0}));
}

TEST(Linear, GradientsAreDifferences) {
  for (const bool bias : {true, false}) {
    const LinearSpec spec{.in = {3, 2, 2, 3}, .out = {3, 5}, .bias = bias};
    std::vector<Block> params{draw_block(60, Rng(1))};
    if (bias) params.push_back(draw_block(5, Rng(2)));
    expect_gradients(*linear(spec), {draw_block(36, Rng(3))}, params, Rng(4));
  }
}

TEST(BatchNorm, IsPyTorchsInTraining) {
  const BatchNormSpec spec{.shape = {2, 2, 1, 3}, .batch_statistics = true};
  std::vector<Block> params{{1.5, -2}, {0.1, 0.2}, {0.5, -0.5}, {2, 1}};
  Block out;
  batch_norm(spec)->forward({ramp(12)}, params, out, {});
  // eps and momentum are floats here, doubles there.
  const auto close = [](const Block& wanted, const Block& got) {
    return tests::within(wanted, got, std::vector(wanted.size(), 1e-7));
  };
  EXPECT_TRUE(
      close({-0.0770816243109, -0.87394893371, 0.454163248622, 0.52686868298, -1.67949492713, 1.01717170745,
             1.51665299449, -2.46768355251, 2.04789786742, 1.99777775639, -3.15040400054, 2.48808078086},
            out));
  EXPECT_TRUE(close({0.466666666667, -0.476666666667}, params[2]));
  EXPECT_TRUE(close({1.83826666667, 0.979866666667}, params[3]));
}

TEST(BatchNorm, KeepsItsStatisticsWhereTheyAreFrozen) {
  const BatchNormSpec spec{.shape = {1, 1, 1, 2}, .eps = 0x1p-20f, .activation = {.kind = Activation::relu}};
  std::vector<Block> params{{2}, {1}, {5}, {4 - 0x1p-20}};
  Block out;
  batch_norm(spec)->forward({{9, 1}}, params, out, {});
  EXPECT_EQ(out, (Block{5, 0}));  // 2 * (9 - 5) / 2 + 1 and max(-3, 0)
  EXPECT_EQ(params[2], Block{5});
  EXPECT_EQ(params[3], Block{4 - 0x1p-20});
}

TEST(BatchNorm, GradientsAreDifferences) {
  for (const bool batch_statistics : {true, false})
    for (const bool residual : {true, false})
      for (const Activation kind : {Activation::none, Activation::relu}) {
        const BatchNormSpec spec{.shape = {3, 2, 2, 3},
                                 .batch_statistics = batch_statistics,
                                 .residual = residual,
                                 .activation = {.kind = kind}};
        std::vector<Block> in{draw_block(36, Rng(1))};
        if (residual) in.push_back(draw_block(36, Rng(2)));
        const std::vector<Block> params{{1.5, -0.7}, {0.3, -0.2}, {0.4, -0.1}, {0.8, 1.7}};
        BatchNormSpec linear = spec;
        linear.activation.kind = Activation::none;
        for (const double y : forward(*batch_norm(linear), in, params))
          ASSERT_GT(std::abs(y), 1e-3) << "clear of the kink";
        expect_gradients(*batch_norm(spec), in, params, Rng(4));
      }
}

TEST(Activation, AnswersAreKnown) {
  const Block x{-7, -2, -0.5, 0.5, 2, 7};
  const auto run = [&](Activation kind) { return forward(*activation({kind, 0.1f}), {x}); };
  EXPECT_EQ(run(Activation::none), x);
  EXPECT_EQ(run(Activation::relu), (Block{0, 0, 0, 0.5, 2, 7}));
  EXPECT_EQ(run(Activation::relu6), (Block{0, 0, 0, 0.5, 2, 6}));
  EXPECT_EQ(run(Activation::leaky_relu),
            (Block{-7 * double{0.1f}, -2 * double{0.1f}, -0.5 * double{0.1f}, 0.5, 2, 7}));
  EXPECT_TRUE(answers(
      {0.000911051194401, 0.119202922022, 0.377540668798, 0.622459331202, 0.880797077978, 0.999088948806},
      run(Activation::sigmoid)));
  EXPECT_TRUE(answers(
      {-0.999998336944, -0.964027580076, -0.46211715726, 0.46211715726, 0.964027580076, 0.999998336944},
      run(Activation::tanh)));
  EXPECT_TRUE(answers({0, 0.166666666667, 0.416666666667, 0.583333333333, 0.833333333333, 1},
                      run(Activation::hard_sigmoid)));
  EXPECT_TRUE(answers({0, -0.333333333333, -0.208333333333, 0.291666666667, 1.66666666667, 7},
                      run(Activation::hard_swish)));
  EXPECT_TRUE(answers(
      {-0.0063773583608, -0.238405844044, -0.188770334399, 0.311229665601, 1.76159415596, 6.99362264164},
      run(Activation::silu)));
  EXPECT_TRUE(
      answers({0.000911881965555, 0.135335283237, 0.606530659713, 1.6487212707, 7.38905609893, 1096.63315843},
              run(Activation::exp)));
}

TEST(Activation, GradientsAreDifferences) {
  for (int kind = 0; kind <= static_cast<int>(Activation::exp); ++kind)
    expect_gradients(*activation({static_cast<Activation>(kind), 0.1f}), {draw_block(60, Rng(1))}, {},
                     Rng(2));
}

Window square(std::int64_t kernel, std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1) {
  return {kernel, kernel, stride, stride, dilation, dilation, pad, pad, pad, pad};
}

TEST(MaxPool, IsPyTorchs) {
  const Shape in{1, 1, 5, 6};
  EXPECT_TRUE(answers({1.5, 1.7, 1.7, 2.7, 2.9, 2.9},
                      forward(*pool({in, {1, 1, 2, 3}, square(3, 2, 0)}), {ramp(30)})));
  EXPECT_TRUE(answers({-0.8, -0.8, -1, -0.8, -0.8, -1},
                      forward(*pool({in, {1, 1, 2, 3}, square(3, 2, 1, 2)}), {ramp(30)})));
  EXPECT_TRUE(answers({0.3}, forward(*pool({{1, 1, 2, 2}, {1, 1, 1, 1}, square(3, 2, 0)}), {ramp(4)})));
}

TEST(MaxPool, PaddingNeverWinsAndTheFirstOfEqualsDoes) {
  const PoolSpec spec{{1, 1, 2, 2}, {1, 1, 1, 1}, square(4, 1, 1)};
  EXPECT_EQ(forward(*pool(spec), {{-3, -2, -2, -4}}), Block{-2});
  std::vector<Block> din, dparams;
  pool(spec)->backward({{-3, -2, -2, -4}}, {}, {-2}, {7}, din, dparams, {});
  EXPECT_EQ(din[0], (Block{0, 7, 0, 0}));
}

TEST(AdaptivePool, SharesAsPyTorchDoes) {
  Block picture(20);
  std::iota(picture.begin(), picture.end(), 0.0);
  const auto run = [&](const Shape& in, const Shape& out, const Block& x) {
    return forward(*adaptive_pool({in, out}), {x});
  };
  EXPECT_TRUE(answers({3.5, 5.5, 8.5, 10.5, 13.5, 15.5}, run({1, 1, 4, 5}, {1, 1, 3, 2}, picture)));
  EXPECT_TRUE(answers({0, 0.5, 1, 2.5, 3, 3.5, 5, 5.5, 6}, run({1, 1, 2, 2}, {1, 1, 3, 3}, {0, 1, 5, 6})));
}

TEST(Rearrange, FollowsItsStrides) {
  const RearrangeSpec turned{{1, 1, 2, 3}, {1, 1, 3, 2}, {3, 2}, {1, 3}};
  EXPECT_EQ(forward(*rearrange(turned), {{1, 2, 3, 4, 5, 6}}), (Block{1, 4, 2, 5, 3, 6}));
  const RearrangeSpec larger{{1, 1, 1, 2}, {1, 1, 2, 4}, {2, 2, 2}, {0, 1, 0}};
  EXPECT_EQ(forward(*rearrange(larger), {{7, 8}}), (Block{7, 7, 8, 8, 7, 7, 8, 8}));
  const RearrangeSpec part{{2, 1, 1, 4}, {2, 2}, {2}, {2}, 1};
  EXPECT_EQ(forward(*rearrange(part), {{1, 2, 3, 4, 5, 6, 7, 8}}), (Block{2, 4, 6, 8}));
  expect_gradients(*rearrange(larger), {{7, 8}}, {}, Rng(3));
}

TEST(Affine, MultipliesAndAdds) {
  const Block x{1, 2, 3, 4};
  EXPECT_EQ(forward(*affine({{1, 2, 1, 2}}), {x}, {{2, 3}, {1, -1}}), (Block{3, 5, 8, 11}));
  EXPECT_EQ(forward(*affine({{1, 2, 1, 2}, true}), {x}, {{1, 2, 3, 4}, {0, 1, 0, 1}}), (Block{1, 5, 9, 17}));
  for (const bool per_element : {false, true})
    expect_gradients(*affine({{2, 2, 2, 2}, per_element}), {draw_block(16, Rng(1))},
                     {draw_block(per_element ? 8 : 2, Rng(2)), draw_block(per_element ? 8 : 2, Rng(4))},
                     Rng(3));
}

TEST(AveragePool, CountsAsPyTorchDoes) {
  const Shape in{1, 1, 5, 6};
  const auto run = [&](const Shape& out, const Window& window, bool include) {
    return forward(*pool({in, out, window, false, include}), {ramp(30)});
  };
  EXPECT_TRUE(answers({-0.0222222222222, -0.133333333333, -0.177777777778, -0.3, -0.0333333333333, -0.5,
                       -0.566666666667, -0.9, -0.0222222222222, -0.533333333333, -0.577777777778, -0.9},
                      run({1, 1, 3, 4}, square(3, 2, 1), true)));
  EXPECT_TRUE(answers({-0.05, -0.2, -0.266666666667, -0.9, -0.05, -0.5, -0.566666666667, -1.8, -0.05, -0.8,
                       -0.866666666667, -2.7},
                      run({1, 1, 3, 4}, square(3, 2, 1), false)));
  EXPECT_TRUE(answers({0.025, -0.025, -0.15, 0.8, -0.05, -1.05}, run({1, 1, 2, 3}, square(2, 3, 1), true)));
}

TEST(Pool, GradientsAreDifferences) {
  for (const bool maximum : {true, false})
    for (const bool include : {true, false}) {
      expect_gradients(*pool({{2, 2, 5, 6}, {2, 2, 3, 4}, square(3, 2, 1), maximum, include}),
                       {distinct_block(120, Rng(1))}, {}, Rng(2));
      expect_gradients(*pool({{1, 2, 4, 4}, {1, 2, 2, 2}, square(2, 2, 0), maximum, include}),
                       {distinct_block(32, Rng(1))}, {}, Rng(2));
    }
  expect_gradients(*pool({{1, 1, 5, 6}, {1, 1, 2, 3}, square(3, 2, 1, 2)}), {distinct_block(30, Rng(1))}, {},
                   Rng(2));
}

TEST(LocalResponseNorm, IsPyTorchs) {
  EXPECT_TRUE(answers({0.0592752170065, -0.117890665248, 0.175214797209, -0.230669895757, 0.289904265911},
                      forward(*lrn({{1, 5, 1, 1}, 3, 0.5f, 0.75f, 2.0f}), {ramp(5)})));
}

TEST(LocalResponseNorm, GradientsAreDifferences) {
  expect_gradients(*lrn({{2, 7, 2, 2}, 5, 0.5f, 0.75f, 2.0f}), {draw_block(56, Rng(1))}, {}, Rng(2));
  expect_gradients(*lrn({{1, 2, 2, 2}, 5, 1e-1f, 0.5f, 1.0f}), {draw_block(8, Rng(1))}, {}, Rng(2));
}

TEST(Dropout, DropsWhatTheGeneratorSaysAndKeepsTheMean) {
  const Rng rng(7);
  const Block out = forward(*dropout({{1, 4, 50, 50}, 0.25f}), {Block(10000, 3.0)}, {}, rng);
  int dropped = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool drops = static_cast<double>(rng.at(i) >> 40) / 16777216.0 < 0.25;
    EXPECT_EQ(out[i], drops ? 0.0 : 4.0) << i;
    dropped += drops;
  }
  EXPECT_NEAR(dropped, 2500, 4 * 43);  // four standard deviations
}

TEST(Dropout, GradientsAreDifferences) {
  expect_gradients(*dropout({{2, 3, 2, 2}, 0.5f}), {draw_block(24, Rng(1))}, {}, Rng(2));
}

TEST(Softmax, IsPyTorchsAndBearsLargeNumbers) {
  EXPECT_TRUE(answers({0.180657171876, 0.329178829301, 0.220655168011, 0.269508830811, 0.269508830811,
                       0.220655168011, 0.329178829301, 0.180657171876},
                      forward(*softmax({{1, 4, 1, 2}}), {ramp(8)})));
  EXPECT_EQ(forward(*softmax({{1, 2}}), {{1e4, 1e4}}), (Block{0.5, 0.5}));
}

TEST(Softmax, GradientsAreDifferences) {
  expect_gradients(*softmax({{2, 5, 2, 1}}), {draw_block(20, Rng(1))}, {}, Rng(2));
}

TEST(Combining, AnswersAreKnown) {
  EXPECT_EQ(forward(*add({{1, 2}}), {{1, 2}, {10, 20}}), (Block{11, 22}));
  EXPECT_EQ(forward(*multiply({{1, 2}, {1, 2}}), {{1, 2}, {10, 20}}), (Block{10, 40}));
  EXPECT_EQ(forward(*multiply({{1, 2, 1, 2}, {1, 2}}), {{1, 2, 3, 4}, {10, 20}}), (Block{10, 20, 60, 80}));
  EXPECT_EQ(forward(*concat({{{2, 1, 1, 2}, {2, 2, 1, 2}}, {2, 3, 1, 2}}),
                    {{1, 2, 3, 4}, {5, 6, 7, 8, 9, 10, 11, 12}}),
            (Block{1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12}));
  EXPECT_EQ(forward(*flatten({1, 2, 1, 2}), {{1, 2, 3, 4}}), (Block{1, 2, 3, 4}));
}

TEST(Combining, GradientsAreDifferences) {
  const std::vector<Block> alike{draw_block(24, Rng(1)), draw_block(24, Rng(2))};
  expect_gradients(*add({{2, 3, 2, 2}}), alike, {}, Rng(3));
  expect_gradients(*multiply({{2, 3, 2, 2}, {2, 3, 2, 2}}), alike, {}, Rng(3));
  expect_gradients(*multiply({{2, 3, 2, 2}, {2, 3}}), {alike[0], draw_block(6, Rng(2))}, {}, Rng(3));
  expect_gradients(*concat({{{2, 3, 2, 2}, {2, 1, 2, 2}, {2, 2, 2, 2}}, {2, 6, 2, 2}}),
                   {alike[0], draw_block(8, Rng(2)), draw_block(16, Rng(3))}, {}, Rng(4));
  expect_gradients(*flatten({2, 3, 2, 2}), {alike[0]}, {}, Rng(3));
}

TEST(ReferenceOp, RunsAKernelOnFloatsAndMovesRunningStatistics) {
  const Shape shape{2, 1, 1, 2};
  const PlanArgs args{
      .in = {channels_last(shape)}, .train = true, .wants_din = {true}, .wants_dparams = true};
  const auto op = as_op(batch_norm({.shape = shape, .momentum = 0.5f, .batch_statistics = true}), args, shape,
                        {1, 1, 1, 1});
  EXPECT_EQ(op->info().in[0], plain(shape));
  EXPECT_EQ(op->info().out, plain(shape));
  EXPECT_EQ(op->info().params, (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_TRUE(op->info().keeps_in[0] && op->info().keeps_out);

  const float x[] = {1, 3, 5, 7}, dout[] = {1, 0, 0, 0};
  float gamma = 1, beta = 0, mean = 0, variance = 1, out[4], din[4], dbeta = NAN;
  const float* in[] = {x};
  float* params[] = {&gamma, &beta, &mean, &variance};
  op->forward({.in = in, .params = params, .out = out});
  EXPECT_FLOAT_EQ(mean, 2.0f);                            // half of 4
  EXPECT_FLOAT_EQ(variance, 0.5f + 0.5f * 20.0f / 3.0f);  // unbiased
  EXPECT_FLOAT_EQ(out[0], static_cast<float>(-3 / std::sqrt(5 + 1e-5)));
  EXPECT_EQ(gamma, 1.0f);
  float* dins[] = {din};
  float* dparams[] = {nullptr, &dbeta, nullptr, nullptr};
  op->backward({.in = in, .params = params, .out = out, .dout = dout, .din = dins, .dparams = dparams});
  EXPECT_EQ(dbeta, 1.0f);
  EXPECT_NEAR(din[0] + din[1] + din[2] + din[3], 0.0f, 1e-6f);
}

}  // namespace
}  // namespace enxerto::reference
