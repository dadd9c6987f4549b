#include "enxerto/layers/layers.h"

#include <gtest/gtest.h>

#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/testing/run_op.h"

namespace enxerto {
namespace {

constexpr int most = std::numeric_limits<int>::max();

Shape out(const AnyLayer& layer, std::vector<Shape> in) { return out_shape(layer, in); }

/// The text of the Error{usage} that the layer throws for these inputs.
std::string refusal(const AnyLayer& layer, std::vector<Shape> in) {
  try {
    out_shape(layer, in);
    param_specs(layer, in);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(std::string(error.what()).find(kind_of(layer)), 0u) << "opens with the layer's kind";
    return error.what();
  }
  ADD_FAILURE() << "not refused: " << kind_of(layer);
  return {};
}

testing::AssertionResult names(const std::string& text, std::vector<std::string> parts) {
  for (const std::string& part : parts)
    if (text.find(part) == std::string::npos)
      return testing::AssertionFailure() << "'" << text << "' does not name '" << part << "'";
  return testing::AssertionSuccess();
}

TEST(Window, RoundsDownOrAsPyTorchUp) {
  const auto size = [](int in, int kernel, int stride, int pad, bool ceil_mode, int dilation = 1) {
    return place_window("pool", {.c = 1, .h = in, .w = in}, kernel, stride, pad, dilation, ceil_mode).out_h;
  };
  EXPECT_EQ(size(224, 7, 2, 3, false), 112);
  EXPECT_EQ(size(112, 3, 2, 1, false), 56);
  EXPECT_EQ(size(112, 3, 2, 0, false), 55);
  EXPECT_EQ(size(112, 3, 2, 0, true), 56);
  EXPECT_EQ(size(5, 3, 2, 1, true), 3);
  EXPECT_EQ(size(7, 3, 1, 2, false, 2), 7);
  // The last window would start in the right padding: PyTorch drops it.
  EXPECT_EQ(size(5, 2, 3, 1, true), 2);
  EXPECT_EQ(size(4, 2, 2, 1, true), 3);
  // ... and in ceil mode a window may hang over.
  EXPECT_EQ(size(2, 3, 2, 0, true), 1);
}

TEST(Window, SameIsTensorFlows) {
  const auto place = [](int in, int kernel, int stride, int dilation = 1) {
    return place_window("conv2d", {.c = 1, .h = in, .w = in}, kernel, stride, Padding::same_as_tensorflow(),
                        dilation, false);
  };
  struct Answer {
    int in, kernel, stride, dilation, out, before, after;
  };
  for (const Answer& a : {Answer{224, 3, 2, 1, 112, 0, 1},
                          {224, 7, 2, 1, 112, 2, 3},
                          {7, 3, 1, 1, 7, 1, 1},
                          {6, 4, 1, 1, 6, 1, 2},
                          {7, 3, 2, 1, 4, 1, 1},
                          {9, 3, 1, 2, 9, 2, 2},
                          {5, 1, 2, 1, 3, 0, 0}}) {
    const PlacedWindow placed = place(a.in, a.kernel, a.stride, a.dilation);
    EXPECT_EQ(placed.out_h, a.out);
    EXPECT_EQ(placed.window.pad_top, a.before);
    EXPECT_EQ(placed.window.pad_bottom, a.after);
    EXPECT_EQ(placed.window.pad_left, a.before);
    EXPECT_EQ(placed.window.pad_right, a.after);
  }
}

TEST(Window, IsRefusedWithItsNumbers) {
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .kernel = 5, .pad = 1}, {{1, 3, 2, 9}}),
                    {"height 2", "kernel 5", "padding 1 + 1", "covers 5", "has 4"}));
  EXPECT_TRUE(names(refusal(MaxPool2d{.kernel = {2, 30}}, {{1, 3, 20, 20}}), {"width 20", "kernel 30"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .kernel = 0}, {{1, 3, 9, 9}}), {"kernel 0", "at least 1"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .stride = {1, -2}}, {{1, 3, 9, 9}}), {"stride -2"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .dilation = 0}, {{1, 3, 9, 9}}), {"dilation 0"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .pad = -1}, {{1, 3, 9, 9}}), {"padding -1"}));
}

TEST(Window, AbsurdNumbersAreRefusedNotOverflowed) {
  refusal(Conv2d{.out = 8, .kernel = most, .dilation = most}, {{1, 3, 9, 9}});
  refusal(Conv2d{.out = most, .kernel = 1, .pad = most}, {{1, 3, 9, 9}});
  refusal(Conv2d{.out = most, .kernel = most, .pad = Padding::same_as_tensorflow()}, {{1, 1, 1, 1}});
  refusal(Conv2d{.out = 8, .kernel = most, .dilation = most, .pad = Padding::same_as_tensorflow()},
          {{1, 3, 9, 9}});
  refusal(MaxPool2d{.kernel = most, .stride = most, .pad = most, .dilation = most, .ceil_mode = true},
          {{1, 3, 9, 9}});
  refusal(MaxPool2d{.kernel = 1, .stride = 1, .pad = most}, {{1, 3, 9, 9}});
  refusal(Linear{.out = most}, {{1, 512, 512, 512}});
  refusal(Input{.channels = most, .height = most, .width = most}, {});
}

TEST(Pooling, EveryWindowHasAPixel) {
  EXPECT_TRUE(names(refusal(MaxPool2d{.kernel = 2, .pad = 2}, {{1, 3, 8, 8}}),
                    {"kernel 2", "padding 2", "8 pixels", "window 0"}));
  EXPECT_TRUE(
      names(refusal(AvgPool2d{.kernel = 2, .pad = {0, 0, 4, 0}, .count_include_pad = false}, {{1, 3, 8, 8}}),
            {"window 4"}));
  // Taps at -1 and 2 of a picture of 2.
  refusal(MaxPool2d{.kernel = 2, .stride = 1, .pad = 1, .dilation = 3}, {{1, 1, 2, 2}});
}

TEST(Rearranging, StaysWithinThePicture) {
  const std::vector<Shape> in{{1, 2, 3, 4}};
  const auto wrong = [&](std::vector<int> sizes, std::vector<int> strides, int offset = 0) {
    return refusal(Rearrange{.c = 6, .h = 4, .w = 1, .sizes = sizes, .strides = strides, .offset = offset},
                   in);
  };
  EXPECT_TRUE(names(wrong({24}, {2}), {"element 46", "of 24"}));
  EXPECT_TRUE(names(wrong({24}, {1}, 1), {"element 24", "of 24"}));
  EXPECT_TRUE(names(wrong({23}, {1}), {"24 elements"}));
  EXPECT_TRUE(names(wrong({5, 5}, {1, 1}), {"24 elements"}));
  EXPECT_TRUE(names(wrong({most, most, most}, {most, most, most}), {"24 elements"}));
  EXPECT_TRUE(names(wrong({24}, {-1}), {"at least 0"}));
  EXPECT_TRUE(names(wrong({24, -1}, {1, 1}), {"above 0"}));
  EXPECT_TRUE(names(wrong({24}, {1}, -1), {"element"}));
  EXPECT_TRUE(names(wrong({}, {}), {"0 sizes"}));
  EXPECT_TRUE(names(wrong({24}, {1, 1}), {"1 sizes and 2 strides"}));
  EXPECT_TRUE(names(refusal(AdaptiveAvgPool2d{.out = {0, 7}}, {{1, 3, 9, 9}}), {"0x7"}));
}

TEST(Shapes, AreThoseOfEachLayer) {
  EXPECT_EQ(out(Input{.channels = 3, .height = 224, .width = 200}, {}), (Shape{1, 3, 224, 200}));
  EXPECT_EQ(out(Conv2d{.out = 64, .kernel = 7, .stride = 2, .pad = 3}, {{1, 3, 224, 224}}),
            (Shape{1, 64, 112, 112}));
  EXPECT_EQ(out(Conv2d{.out = 8, .kernel = {1, 5}, .stride = {1, 2}}, {{1, 4, 1, 100}}),
            (Shape{1, 8, 1, 48}));
  EXPECT_EQ(out(Linear{.out = 10}, {{5, 64, 4, 4}}), (Shape{5, 10}));
  EXPECT_EQ(out(GlobalAvgPool{}, {{2, 64, 7, 7}}), (Shape{2, 64}));
  EXPECT_EQ(out(Flatten{}, {{2, 64, 7, 7}}), (Shape{2, 3136}));
  EXPECT_EQ(out(Concat{}, {{1, 3, 4, 4}, {1, 5, 4, 4}, {1, 1, 4, 4}}), (Shape{1, 9, 4, 4}));
  EXPECT_EQ(out(ChannelPad{.before = 2, .after = 3}, {{1, 4, 6, 7}}), (Shape{1, 9, 6, 7}));
  EXPECT_EQ(out(Multiply{}, {{1, 3, 4, 4}, {1, 3}}), (Shape{1, 3, 4, 4}));
}

TEST(Parameters, AreNamedAsFilesNameThem) {
  const std::vector<Shape> in{{1, 32, 8, 8}};
  const auto conv = param_specs(Conv2d{.out = 64, .kernel = {3, 5}, .groups = 4}, in);
  ASSERT_EQ(conv.size(), 2u);
  EXPECT_EQ(conv[0].name, "weight");
  EXPECT_EQ(conv[0].shape, (Shape{64, 8, 3, 5}));
  EXPECT_EQ(conv[0].rank, 4);
  EXPECT_EQ(conv[1].name, "bias");
  EXPECT_EQ(conv[1].shape, Shape{.n = 64});
  EXPECT_EQ(conv[1].rank, 1);

  const auto linear = param_specs(Linear{.out = 10, .bias = false}, in);
  ASSERT_EQ(linear.size(), 1u);
  EXPECT_EQ(linear[0].shape, (Shape{10, 2048}));
  EXPECT_EQ(linear[0].rank, 2);

  const auto norm = param_specs(BatchNorm{}, in);
  ASSERT_EQ(norm.size(), 4u);
  EXPECT_EQ(norm[0].name, "weight");
  EXPECT_EQ(norm[1].name, "bias");
  EXPECT_EQ(norm[2].name, "running_mean");
  EXPECT_EQ(norm[3].name, "running_var");
  EXPECT_TRUE(norm[1].trainable());
  EXPECT_FALSE(norm[2].trainable() || norm[3].trainable());
  EXPECT_TRUE(param_specs(MaxPool2d{}, in).empty());
}

TEST(Refusals, SayWhatCameAndWhatWasExpected) {
  const Shape x{1, 6, 8, 8};
  EXPECT_TRUE(names(refusal(Conv2d{.out = 8, .groups = 4}, {x}), {"4 groups", "6 input", "8 output"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 9, .groups = 2}, {x}), {"2 groups", "9 output"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 6, .groups = 0}, {x}), {"0 groups"}));
  EXPECT_TRUE(names(refusal(Conv2d{}, {x}), {"0 output channels"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 4}, {x, {1, 4, 8, 7}}), {"1x4x8x7", "1x4x8x8"}));
  EXPECT_TRUE(names(refusal(Conv2d{.out = 4}, {x, x, x}), {"takes 1 input", "got 3"}));
  EXPECT_TRUE(names(refusal(Linear{.out = -3}, {x}), {"-3 output features"}));
  EXPECT_TRUE(names(refusal(Linear{.out = 3}, {}), {"takes 1 input", "got 0"}));
  EXPECT_TRUE(names(refusal(Input{}, {}), {"1x3x0x0"}));
  EXPECT_TRUE(names(refusal(Input{.height = 4, .width = 4}, {x}), {"takes 0 inputs", "got 1"}));
  EXPECT_TRUE(names(refusal(BatchNorm{.eps = 0}, {x}), {"eps 0"}));
  EXPECT_TRUE(names(refusal(BatchNorm{.momentum = 2}, {x}), {"momentum 2"}));
  EXPECT_TRUE(names(refusal(BatchNorm{.activation = Activation::silu}, {x}),
                    {"none, relu, relu6 or, with one input, hard_swish"}));
  EXPECT_TRUE(names(refusal(BatchNorm{}, {x, {1, 6, 1, 1}}), {"1x6x1x1", "1x6x8x8"}));
  EXPECT_TRUE(names(refusal(Dropout{.p = 1}, {x}), {"p is 1"}));
  EXPECT_TRUE(names(refusal(Dropout{.p = std::numeric_limits<float>::quiet_NaN()}, {x}), {"p is nan"}));
  EXPECT_TRUE(names(refusal(LocalResponseNorm{.size = 4}, {x}), {"size 4", "odd"}));
  EXPECT_TRUE(names(refusal(LocalResponseNorm{.k = 0}, {x}), {"k 0"}));
  EXPECT_TRUE(names(refusal(Add{}, {x, {1, 5, 8, 8}}), {"1x6x8x8", "1x5x8x8"}));
  EXPECT_TRUE(names(refusal(Add{}, {x}), {"takes 2 inputs", "got 1"}));
  EXPECT_TRUE(names(refusal(Multiply{}, {x, {1, 6, 8, 1}}), {"1x6x8x1", "1x6x1x1"}));
  EXPECT_TRUE(names(refusal(Concat{}, {x}), {"two inputs or more", "got 1"}));
  EXPECT_TRUE(names(refusal(Concat{}, {x, {1, 6, 8, 9}}), {"1x6x8x8", "1x6x8x9"}));
  EXPECT_TRUE(names(refusal(Softmax{}, {{1, 0, 1, 1}}), {"1x0x1x1"}));
}

/// What the layer makes of these numbers, by the reference: whether its fields reach the kernel.
tests::Made run(const AnyLayer& layer, const std::vector<Shape>& in, const tests::Given& given,
                bool train = false) {
  PlanArgs args{.in = {}, .train = train, .wants_din = {}, .reference = true};
  for (const Shape& shape : in) args.in.push_back(plain(shape));
  return tests::run_op(*plan_op(layer, args), given, {});
}

TEST(Fields, OfAConvolutionReachItsKernel) {
  const Shape row{1, 1, 1, 5};
  const tests::Floats x{1, 2, 3, 4, 5};
  Conv2d conv{.out = 1, .kernel = {1, 2}, .dilation = {1, 2}, .bias = false};
  EXPECT_EQ(run(conv, {row}, {{x}, {{1, 10}}, {}}).out, (tests::Floats{31, 42, 53}));
  EXPECT_EQ(run(conv, {row, {1, 1, 1, 3}}, {{x, {1, 2, 3}}, {{1, 10}}, {}}).out, (tests::Floats{32, 44, 56}));
  conv.stride = {1, 2};
  EXPECT_EQ(run(conv, {row}, {{x}, {{1, 10}}, {}}).out, (tests::Floats{31, 53}));
  conv.stride = 1;
  conv.pad = {0, 1, 0, 0};
  EXPECT_EQ(run(conv, {row}, {{x}, {{1, 10}}, {}}).out, (tests::Floats{20, 31, 42, 53}));
  conv.bias = true;
  conv.activation = Activation::leaky_relu;
  conv.alpha = 0.5f;
  EXPECT_EQ(run(conv, {row}, {{x}, {{1, 10}, {-40}}, {}}).out, (tests::Floats{-10, -4.5f, 2, 13}));
  const Conv2d grouped{.out = 2, .groups = 2, .bias = false};
  EXPECT_EQ(run(grouped, {{1, 2}}, {{{1, 2}}, {{10, 100}}, {}}).out, (tests::Floats{10, 200}));
}

TEST(Fields, OfALinearLayerReachItsKernel) {
  const Linear linear{.out = 1, .activation = Activation::leaky_relu, .alpha = 0.5f};
  EXPECT_EQ(run(linear, {{1, 2}}, {{{1, 2}}, {{3, 4}, {-20}}, {}}).out, (tests::Floats{-4.5f}));
  EXPECT_EQ(run(Linear{.out = 1, .bias = false}, {{1, 2}}, {{{1, 2}}, {{3, 4}}, {}}).out,
            (tests::Floats{11}));
}

TEST(Fields, OfABatchNormReachItsKernel) {
  const Shape row{1, 1, 1, 2};
  const BatchNorm norm{.eps = 3, .momentum = 0.25f};
  const tests::Given given{{{1, 3}}, {{1}, {0}, {0}, {1}}, {}};
  const tests::Made made = run(norm, {row}, given, true);
  EXPECT_EQ(made.out, (tests::Floats{-0.5f, 0.5f}));
  EXPECT_EQ(made.params[2], tests::Floats{0.5f});   // a quarter of 2
  EXPECT_EQ(made.params[3], tests::Floats{1.25f});  // three quarters of 1 and a quarter of 2
  EXPECT_EQ(run(norm, {row}, given).out, (tests::Floats{0.5f, 1.5f}));
  const BatchNorm relu{.eps = 3, .activation = Activation::relu};
  EXPECT_EQ(run(relu, {row}, given, true).out, (tests::Floats{0, 0.5f}));
  EXPECT_EQ(run(relu, {row, row}, {{{1, 3}, {1, 1}}, given.params, {}}, true).out,
            (tests::Floats{0.5f, 1.5f}));
}

TEST(Fields, OfPoolingReachItsKernel) {
  const Shape row{1, 1, 1, 5}, square{1, 1, 2, 2};
  const tests::Given x{{{1, 5, 2, 4, 3}}, {}, {}}, corner{{{1, 2, 3, 4}}, {}, {}};
  EXPECT_EQ(run(MaxPool2d{.kernel = {1, 2}, .stride = 1, .dilation = {1, 2}}, {row}, x).out,
            (tests::Floats{2, 5, 3}));
  EXPECT_EQ(run(MaxPool2d{.kernel = {1, 2}, .stride = {1, 2}}, {row}, x).out, (tests::Floats{5, 4}));
  EXPECT_EQ(run(MaxPool2d{.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true}, {row}, x).out,
            (tests::Floats{5, 4, 3}));
  EXPECT_EQ(run(MaxPool2d{.kernel = {1, 2}, .stride = {1, 2}, .pad = {0, 1, 0, 0}}, {row}, x).out,
            (tests::Floats{1, 5, 4}));
  EXPECT_EQ(run(AvgPool2d{.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true}, {row}, x).out,
            (tests::Floats{3, 3, 3}));
  EXPECT_EQ(run(AvgPool2d{.pad = 1}, {square}, corner).out, (tests::Floats{0.25f, 0.5f, 0.75f, 1}));
  EXPECT_EQ(run(AvgPool2d{.pad = 1, .count_include_pad = false}, {square}, corner).out,
            (tests::Floats{1, 2, 3, 4}));
  EXPECT_EQ(run(AvgPool2d{.kernel = 1, .stride = 1}, {square}, corner).out, (tests::Floats{1, 2, 3, 4}));
  EXPECT_EQ(run(AvgPool2d{.kernel = 1, .stride = 1, .pad = {0, 1, 1, 0}}, {square}, corner).out,
            (tests::Floats{0, 1, 2, 0, 3, 4, 0, 0, 0}));
  EXPECT_EQ(run(AvgPool2d{.kernel = 1, .stride = 1, .pad = {1, 0, 0, 1}}, {square}, corner).out,
            (tests::Floats{0, 0, 0, 1, 2, 0, 3, 4, 0}));
  EXPECT_EQ(run(GlobalAvgPool{}, {square}, corner).out, (tests::Floats{2.5f}));
}

TEST(Fields, OfTheOthersReachTheirKernels) {
  EXPECT_EQ(
      run(Activate{.function = Activation::leaky_relu, .alpha = 0.5f}, {{1, 2}}, {{{-2, 2}}, {}, {}}).out,
      (tests::Floats{-1, 2}));
  EXPECT_EQ(
      run(LocalResponseNorm{.size = 3, .alpha = 3, .beta = 1, .k = 1}, {{1, 3}}, {{{1, 2, 3}}, {}, {}}).out,
      (tests::Floats{1.0f / 6, 2.0f / 15, 3.0f / 14}));
  const Dropout dropout{.p = 0.75f};
  const tests::Given ones{{tests::Floats(1000, 1.0f)}, {}, {}, Rng(3)};
  EXPECT_EQ(run(dropout, {{1, 1000}}, ones).out, ones.in[0]);
  const tests::Floats dropped = run(dropout, {{1, 1000}}, ones, true).out;
  EXPECT_NEAR(static_cast<double>(std::ranges::count(dropped, 4.0f)), 250, 4 * 13.7);  // standard deviations
  EXPECT_EQ(std::ranges::count(dropped, 4.0f) + std::ranges::count(dropped, 0.0f), 1000);
}

TEST(BatchNorm, DoesNotTrainOnOneValue) {
  const PlanArgs args{.in = {plain({1, 8, 1, 1})}, .train = true, .wants_din = {}};
  EXPECT_THROW(plan_op(BatchNorm{}, args), Error);
}

}  // namespace
}  // namespace enxerto
