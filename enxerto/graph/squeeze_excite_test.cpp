#include "enxerto/graph/squeeze_excite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/lower.h"
#include "enxerto/kernels/ops.h"
#include "enxerto/testing/random.h"
#include "enxerto/testing/run_op.h"

namespace enxerto {
namespace {

using tests::random_tensor;

/// Of a gate's layers.
struct Gate {
  int channels = 24, squeezed = 8;
  Activation squeeze = Activation::relu, excite = Activation::hard_sigmoid;
  bool linear = false;  ///< layers on lists instead of convolutions
};

/// A convolution, whose map is multiplied by a gate of its means.
Graph gated(const Gate& gate, NodeId* product = nullptr) {
  Graph g;
  const NodeId image = g.input({1, 3, 9, 10});
  const NodeId map = g.add("conv", Conv2d{.out = gate.channels, .kernel = 3, .pad = 1}, {image});
  NodeId x = g.add("means", GlobalAvgPool{}, {map});
  const auto dense = [&](const std::string& name, int out, Activation function) {
    x = gate.linear ? g.add(name, Linear{.out = out}, {x}) : g.add(name, Conv2d{.out = out}, {x});
    if (function != Activation::none) x = g.add(name + ".function", Activate{.function = function}, {x});
  };
  dense("fc1", gate.squeezed, gate.squeeze);
  dense("fc2", gate.channels, gate.excite);
  const NodeId made = g.add("product", Multiply{}, {map, x});
  if (product) *product = made;
  g.init(parse_init("he_normal"), Rng(3));
  Rng rng(4);
  for (Param& param : g.params())
    if (param.name.ends_with("bias"))
      for (float& value : param.value.data()) value = rng.normal();
  return g;
}

bool has_one(const Graph& g, NodeId product) { return squeeze_excitation_at(g, product).has_value(); }

TEST(SqueezeExcitation, IsFound) {
  NodeId product;
  const Graph g = gated({.channels = 24, .squeezed = 8, .squeeze = Activation::silu}, &product);
  const auto found = squeeze_excitation_at(g, product);
  ASSERT_TRUE(found);
  EXPECT_EQ(g.node(found->map).name, "conv");
  EXPECT_EQ(found->inside.size(), 5u);
  EXPECT_EQ(found->spec.squeezed, 8);
  EXPECT_EQ(found->spec.shape, (Shape{1, 24, 9, 10}));
  EXPECT_EQ(found->spec.squeeze.kind, Activation::silu);
  EXPECT_EQ(found->spec.excite.kind, Activation::hard_sigmoid);
  std::vector<std::string> names;
  for (const int param : found->params) names.push_back(g.params()[static_cast<std::size_t>(param)].name);
  EXPECT_EQ(names, (std::vector<std::string>{"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}));
  // In the lowered program too, where relu has moved into the first layer.
  const Graph lowered = lower(gated({}), false);
  EXPECT_TRUE(has_one(lowered, lowered.last()));
}

TEST(SqueezeExcitation, IsNothingElse) {
  NodeId product;
  Graph read_twice = gated({}, &product);
  const auto node_of = [](const Graph& g, std::string_view name) {
    const auto found = std::ranges::find(g.nodes(), name, &Node::name);
    return NodeId{static_cast<int>(found - g.nodes().begin())};
  };
  Graph side_output = read_twice.clone();
  read_twice.add("more", Activate{}, {node_of(read_twice, "fc1")});
  EXPECT_FALSE(has_one(read_twice, product));
  side_output.set_side_outputs({node_of(side_output, "means")});
  EXPECT_FALSE(has_one(side_output, product));
  EXPECT_FALSE(has_one(side_output, node_of(side_output, "conv")));

  Graph g;
  const NodeId image = g.input({1, 4, 6, 6});
  const NodeId map = g.add("map", Activate{}, {image});
  const auto end = [&](const std::string& name, NodeId pooled, const AnyLayer& pool, const AnyLayer& first) {
    NodeId x = g.add(name + ".pool", pool, {pooled});
    x = g.add(name + ".fc1", first, {x});
    x = g.add(name + ".fc2", Conv2d{.out = 4}, {x});
    return g.add(name, Multiply{}, {map, x});
  };
  EXPECT_TRUE(has_one(g, end("right", map, AdaptiveAvgPool2d{}, Conv2d{.out = 2})));
  EXPECT_FALSE(has_one(g, end("of another map", image, GlobalAvgPool{}, Conv2d{.out = 2})));
  EXPECT_FALSE(has_one(g, end("without a bias", map, GlobalAvgPool{}, Conv2d{.out = 2, .bias = false})));
  EXPECT_FALSE(has_one(g, end("grouped", map, GlobalAvgPool{}, Conv2d{.out = 2, .groups = 2})));
  EXPECT_FALSE(has_one(g, end("largest", map, MaxPool2d{.kernel = 6}, Conv2d{.out = 2})));
  EXPECT_FALSE(has_one(g, g.add("map by map", Multiply{}, {map, image})));
}

bool is_one_kernel(const Executor& executor) {
  return std::ranges::any_of(executor.profile(), [](const StepProfile& step) {
    return step.implementation.starts_with("squeeze_excite:");
  });
}

double difference(std::span<const float> wanted, std::span<const float> got) {
  double most = 0, apart = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    most = std::max<double>(most, std::abs(wanted[i]));
    apart = std::max<double>(apart, std::abs(wanted[i] - got[i]));
  }
  return apart / most;
}

/// The kernel against the layers that it stands for, in double.
TEST(SqueezeExcitation, AnswersAsItsLayersDo) {
  const Gate gates[] = {{.channels = 24, .squeezed = 8},
                        {.channels = 5, .squeezed = 1},
                        {.channels = 40, .squeezed = 13, .squeeze = Activation::none},
                        {.channels = 19, .squeezed = 33, .excite = Activation::sigmoid, .linear = true},
                        {.channels = 72, .squeezed = 20, .squeeze = Activation::silu}};
  for (const Gate& gate : gates)
    for (const int batch : {1, 3, 8})
      for (const bool bf16 : {false, true}) {
        SCOPED_TRACE(text(gate.channels, " channels, batch ", batch, bf16 ? ", bfloat16" : ""));
        const Graph g = gated(gate);
        const Tensor images = random_tensor({batch, 3, 9, 10}, 7);
        Executor slow(g, {.batch = batch, .reference = true}), fast(g, {.batch = batch, .bf16 = bf16});
        const ConstView wanted = slow.forward(images.view()), got = fast.forward(images.view());
        EXPECT_LT(difference(wanted.data, got.data), bf16 && has_bf16() ? 0.02 : 1e-6);
        EXPECT_TRUE(is_one_kernel(fast));
        if (bf16) continue;
        // A picture's answer does not depend on those beside it.
        Executor one(g, {.batch = 1});
        const std::size_t picture = 3 * 9 * 10, width = got.data.size() / static_cast<std::size_t>(batch);
        for (int n = 0; n < batch; ++n) {
          const auto begin = static_cast<std::size_t>(n);
          const ConstView alone =
              one.forward({{1, 3, 9, 10}, images.view().data.subspan(begin * picture, picture)});
          EXPECT_LT(difference(alone.data, got.data.subspan(begin * width, width)), 1e-6);
        }
      }
}

/// What is trained, or stands above what is, keeps its layers.
TEST(SqueezeExcitation, StaysApartWhereSomethingIsTrained) {
  const Graph g = gated({});
  const Executor trained(g, {.batch = 2, .train = true});
  for (const StepProfile& step : trained.profile()) EXPECT_FALSE(step.implementation.starts_with("squeeze"));
}

/// Frozen, below a head that is trained: one kernel, and the head's gradients are those of the reference.
TEST(SqueezeExcitation, IsOneKernelBelowATrainedHead) {
  Graph g = gated({});
  for (int i = 1; i <= g.last().index; ++i) g.set_frozen({i}, true);
  const NodeId list = g.add("list", GlobalAvgPool{}, {g.last()});
  g.add("head", Linear{.out = 3}, {list});
  g.init(parse_init("he_normal"), Rng(5));
  const Tensor images = random_tensor({4, 3, 9, 10}, 7), dout = random_tensor({4, 3}, 8);
  Executor slow(g, {.batch = 4, .train = true, .reference = true});
  slow.forward(images.view());
  slow.backward(dout.view());
  for (const Recompute recompute : {Recompute::nothing, Recompute::passes, Recompute::blocks}) {
    Executor fast(g, {.batch = 4, .train = true, .recompute = recompute});
    fast.forward(images.view());
    fast.backward(dout.view());
    EXPECT_TRUE(is_one_kernel(fast));
    ASSERT_EQ(fast.updates().size(), slow.updates().size());
    for (std::size_t i = 0; i < fast.updates().size(); ++i)
      EXPECT_LT(difference(slow.unpack(i, slow.updates()[i].grad).data(),
                           fast.unpack(i, fast.updates()[i].grad).data()),
                1e-5);
  }
}

TEST(SqueezeExcitation, TakesOtherWeights) {
  Graph g = gated({});
  Executor fast(g, {.batch = 2});
  const Tensor images = random_tensor({2, 3, 9, 10}, 7);
  const std::span<const float> first = fast.forward(images.view()).data;
  const std::vector<float> before(first.begin(), first.end());
  for (Param& param : g.params())
    if (param.name.starts_with("fc2"))
      for (float& value : param.value.data()) value += 1;
  fast.load(g);
  Executor slow(g, {.batch = 2, .reference = true});
  const ConstView wanted = slow.forward(images.view()), got = fast.forward(images.view());
  EXPECT_LT(difference(wanted.data, got.data), 1e-6);
  EXPECT_GT(difference(before, got.data), 1e-3);
}

/// The kernel alone, on memory that betrays what it reads and writes, in every order of channels.
TEST(SqueezeExcitation, StaysInsideItsMemory) {
  constexpr std::int64_t squeezed = 7, pixels = 20;
  for (const std::int64_t channels : {5, 24, 40})
    for (const std::int64_t block : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, channels}) {
      const SqueezeExciteSpec spec{.shape = {3, channels, 4, 5},
                                   .squeezed = squeezed,
                                   .squeeze = {.kind = Activation::relu},
                                   .excite = {.kind = Activation::hard_sigmoid}};
      const auto numbers = [](std::int64_t size, std::uint64_t seed) {
        const Tensor made = random_tensor({.n = size}, seed);
        return tests::Floats(made.data().begin(), made.data().end());
      };
      tests::Given given;
      given.in = {numbers(spec.shape.size(), 1)};
      given.params = {numbers(squeezed * channels, 2), numbers(squeezed, 3), numbers(squeezed * channels, 4),
                      numbers(channels, 5)};
      const auto value = [&](std::size_t param, std::int64_t i) {
        return static_cast<double>(given.params[param][static_cast<std::size_t>(i)]);
      };
      tests::Floats wanted;
      for (std::int64_t n = 0; n < 3; ++n) {
        const float* const x = given.in[0].data() + n * channels * pixels;
        std::vector<double> hidden;
        for (std::int64_t h = 0; h < squeezed; ++h) {
          double sum = value(1, h);
          for (std::int64_t i = 0; i < channels * pixels; ++i)
            sum += x[i] / static_cast<double>(pixels) * value(0, h * channels + i / pixels);
          hidden.push_back(std::max(0.0, sum));
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          double sum = value(3, c);
          for (std::int64_t h = 0; h < squeezed; ++h)
            sum += hidden[static_cast<std::size_t>(h)] * value(2, c * squeezed + h);
          const double factor = std::clamp(sum / 6 + 0.5, 0.0, 1.0);
          for (std::int64_t p = 0; p < pixels; ++p)
            wanted.push_back(static_cast<float>(factor * x[c * pixels + p]));
        }
      }
      PlanArgs args;
      args.in = {make_layout(spec.shape, block)};
      const auto op = make_squeeze_excite(spec, args);
      SCOPED_TRACE(format_layout(op->info().out));
      EXPECT_LT(difference(wanted, tests::run_op(*op, given, {}).out), 1e-6);
    }
}

}  // namespace
}  // namespace enxerto
