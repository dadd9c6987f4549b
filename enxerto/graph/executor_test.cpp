#include "enxerto/graph/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/memory_plan.h"
#include "enxerto/graph/split.h"
#include "enxerto/tensor/bfloat16.h"
#include "enxerto/testing/graphs.h"
#include "enxerto/testing/random.h"

namespace enxerto {
namespace {

using tests::busy_graph;
using tests::difference;
using tests::gradient_of;
using tests::random_tensor;
using tests::update_of;

TEST(MemoryPlan, BuffersAliveTogetherNeverOverlapAndReuseSavesMemory) {
  Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<Buffer> buffers;
    std::int64_t sum = 0;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(rng.below(40));
      const auto size = static_cast<std::int64_t>(rng.below(5000) + 1);
      buffers.push_back({size, first, first + static_cast<int>(rng.below(6))});
      sum += size;
    }
    const std::int64_t total = place(buffers);
    std::int64_t least = 0;  // no plan can be smaller than the fullest step
    for (int step = 0; step < 50; ++step) {
      std::int64_t alive = 0;
      for (const Buffer& b : buffers) alive += b.first <= step && step <= b.last ? b.size : 0;
      least = std::max(least, alive);
    }
    EXPECT_GE(total, least);
    EXPECT_LT(total, least * 3 / 2);
    EXPECT_LT(total, sum / 2);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(buffers[i].offset % 16, 0);
      for (std::size_t j = 0; j < i; ++j) {
        const Buffer &a = buffers[i], &b = buffers[j];
        const bool together = a.first <= b.last && b.first <= a.last;
        const bool apart = a.offset + a.size <= b.offset || b.offset + b.size <= a.offset;
        EXPECT_TRUE(!together || apart);
      }
    }
  }
}

TEST(Executor, AnswersAsTheReferenceDoesFusedOrNot) {
  const Graph graph = busy_graph();
  const Tensor images = random_tensor({3, 3, 16, 16}, 7);
  Executor fast(graph, {.batch = 3}), unfused(graph, {.batch = 3, .lower = false});
  Executor reference(graph, {.batch = 3, .reference = true});
  const Tensor wanted = [&] {
    const ConstView y = reference.forward(images.view());
    Tensor copy(y.shape);
    std::ranges::copy(y.data, copy.data().begin());
    return copy;
  }();
  EXPECT_LT(difference(wanted.data(), unfused.forward(images.view()).data), 2e-6);
  EXPECT_LT(difference(wanted.data(), fast.forward(images.view()).data), 2e-6);
}

TEST(Executor, FrozenConvolutionsRunInBfloat16) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bfloat16 arithmetic";
  const Graph graph = busy_graph();
  const Tensor images = random_tensor({3, 3, 16, 16}, 7);
  Executor full(graph, {.batch = 3}), half(graph, {.batch = 3, .bf16 = true});
  const ConstView y = full.forward(images.view());
  const Tensor wanted = [&] {
    Tensor copy(y.shape);
    std::ranges::copy(y.data, copy.data().begin());
    return copy;
  }();
  const double apart = difference(wanted.data(), half.forward(images.view()).data);
  EXPECT_GT(apart, 1e-5);  // it is not float
  EXPECT_LT(apart, 2e-2);  // eight bits of mantissa, a dozen layers
  EXPECT_LT(half.memory_bytes(), full.memory_bytes());
  EXPECT_EQ(half.find_not_finite(images.view(), 0), "");
}

TEST(Executor, TrainsInBfloat16WithFloatWeights) {
  if (!has_bf16()) GTEST_SKIP() << "this processor has no bfloat16 arithmetic";
  const Graph graph = busy_graph(0.0f);
  const Tensor images = random_tensor({4, 3, 16, 16}, 7), dout = random_tensor({4, 5}, 8);
  // How far rounding takes gradients: those of the float network with weights and pictures rounded.
  const auto gradients = [&](Executor& executor, const Tensor& given) {
    executor.forward(given.view());
    executor.backward(dout.view());
  };
  Graph rounded_graph = graph.clone();
  Tensor rounded_images = images.clone();
  const auto round = [](Tensor& values) {
    for (float& x : values.data()) x = float_of_bf16(bf16_of(x));
  };
  round(rounded_images);
  for (Param& param : rounded_graph.params()) round(param.value);
  Executor yardstick(rounded_graph, {.batch = 4, .train = true});
  gradients(yardstick, rounded_images);
  for (const Recompute recompute : {Recompute::nothing, Recompute::passes, Recompute::blocks}) {
    Executor full(graph, {.batch = 4, .train = true, .recompute = recompute});
    Executor half(graph, {.batch = 4, .train = true, .bf16 = true, .recompute = recompute});
    gradients(full, images), gradients(half, images);
    EXPECT_LT(half.memory_bytes(), full.memory_bytes());
    for (const Update& update : full.updates()) {
      // A convolution's bias before batch norm has no gradient but rounding.
      if (update.name == "b.conv.bias") continue;
      const Tensor wanted = gradient_of(full, update.name);
      const double by_rounding = difference(wanted.data(), gradient_of(yardstick, update.name).data());
      EXPECT_LT(difference(wanted.data(), gradient_of(half, update.name).data()), 5 * by_rounding + 1e-3)
          << update.name << " " << by_rounding;
    }
    // Weights are the float ones, to the bit, however they are kept.
    Graph stored = graph.clone();
    half.store(stored);
    for (const Param& param : graph.params()) {
      if (!param.trainable()) continue;
      EXPECT_TRUE(std::ranges::equal(param.value.data(), stored.find_param(param.name)->value.data()))
          << param.name;
    }
  }
}

TEST(Executor, GradientsAreThoseOfTheReferenceFusedOrNot) {
  // Without dropout: its mask belongs to a node's number, which lowering changes.
  const Graph graph = busy_graph(0.0f);
  const Tensor images = random_tensor({4, 3, 16, 16}, 7), dout = random_tensor({4, 5}, 8);
  Executor reference(graph, {.batch = 4, .train = true, .reference = true});
  reference.forward(images.view());
  reference.backward(dout.view());
  for (const bool lowered : {true, false}) {
    Executor fast(graph, {.batch = 4, .train = true, .lower = lowered});
    fast.forward(images.view());
    fast.backward(dout.view());
    ASSERT_EQ(fast.updates().size(), reference.updates().size());
    for (std::size_t i = 0; i < fast.updates().size(); ++i) {
      EXPECT_EQ(fast.updates()[i].name, reference.updates()[i].name);
      const Tensor wanted = reference.unpack(i, reference.updates()[i].grad);
      const Tensor got = fast.unpack(i, fast.updates()[i].grad);
      // A convolution's bias before batch norm has no gradient but rounding.
      if (fast.updates()[i].name == "b.conv.bias") continue;
      EXPECT_LT(difference(wanted.data(), got.data()), 1e-4)
          << fast.updates()[i].name << " lowered " << lowered;
    }
    // Running statistics move alike.
    Graph a = graph.clone(), b = graph.clone();
    fast.store(a);
    reference.store(b);
    for (const Param& param : a.params())
      EXPECT_LT(difference(b.find_param(param.name)->value.data(), param.value.data()), 1e-5) << param.name;
  }
}

TEST(Executor, GradientsAgreeWithDifferencesAlongRandomDirections) {
  const Graph graph = busy_graph();
  const Tensor images = random_tensor({4, 3, 16, 16}, 9), dout = random_tensor({4, 5}, 10);
  const auto loss = [&](const Graph& g) {
    Executor executor(g, {.batch = 4, .train = true});
    const ConstView y = executor.forward(images.view());
    double sum = 0;
    for (std::size_t i = 0; i < y.data.size(); ++i) sum += static_cast<double>(y.data[i]) * dout.data()[i];
    return sum;
  };
  Executor executor(graph, {.batch = 4, .train = true});
  executor.forward(images.view());
  executor.backward(dout.view());
  for (const char* name : {"stem.conv.weight", "a.bn2.weight", "b.down.weight", "se.fc1.weight",
                           "c.right.weight", "fc1.weight", "fc2.bias"}) {
    const Tensor gradient = gradient_of(executor, name);
    // Along the gradient itself the slope is its norm, far above rounding.
    double norm = 0;
    for (const float g : gradient.data()) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    const double step = 2e-3;
    double slopes[2];
    for (const int sign : {0, 1}) {
      Graph moved = graph.clone();
      for (Param& param : moved.params())
        if (param.name == name)
          for (std::size_t i = 0; i < gradient.data().size(); ++i)
            param.value.data()[i] += static_cast<float>((sign ? -step : step) * gradient.data()[i] / norm);
      slopes[sign] = loss(moved);
    }
    EXPECT_NEAR((slopes[0] - slopes[1]) / (2 * step), norm, 0.02 * norm) << name;
  }
}

TEST(Executor, WhatIsFrozenHasNoUpdateKeepsItsStatisticsAndCostsNoMemoryForItsGradient) {
  Graph graph = busy_graph();
  Graph free_graph = graph.clone();
  graph.freeze("stem.");
  graph.freeze("a.");
  const Tensor images = random_tensor({4, 3, 16, 16}, 11), dout = random_tensor({4, 5}, 12);
  Executor frozen(graph, {.batch = 4, .train = true}), all(free_graph, {.batch = 4, .train = true});
  frozen.forward(images.view());
  frozen.backward(dout.view());
  for (const Update& update : frozen.updates())
    EXPECT_FALSE(update.name.starts_with("stem.") || update.name.starts_with("a.")) << update.name;
  EXPECT_GT(all.updates().size(), frozen.updates().size());
  EXPECT_LT(frozen.memory_bytes(), all.memory_bytes());
  Graph after = graph.clone();
  frozen.store(after);
  for (const Param& param : after.params()) {
    const std::span<const float> before = graph.find_param(param.name)->value.data();
    const bool same = std::ranges::equal(before, param.value.data());
    if (param.name.starts_with("stem.") || param.name.starts_with("a.")) {
      EXPECT_TRUE(same) << param.name;
    } else if (!param.spec.trainable()) {
      EXPECT_FALSE(same) << param.name << " should have moved";
    }
  }
  // The frozen part answers with its running statistics, as inference does.
  Graph inference_part = graph.clone();
  inference_part.cut_after("a.relu2");
  Graph train_part = inference_part.clone();
  Executor as_inference(inference_part, {.batch = 4}), as_training(train_part, {.batch = 4, .train = true});
  EXPECT_LT(difference(as_inference.forward(images.view()).data, as_training.forward(images.view()).data),
            1e-6);
}

TEST(Executor, OddPlacesToFreezeTrainTheRest) {
  // A batch norm behind a frozen convolution, and a sum of what is frozen and what is trained.
  const std::vector<std::vector<std::string>> frozen{
      {"stem.conv"}, {"stem", "a.conv1"}, {"stem", "a", "b.conv", "b.bn"}, {"stem", "a", "b.down"}};
  const Tensor images = random_tensor({4, 3, 16, 16}, 13), dout = random_tensor({4, 5}, 14);
  for (const auto& prefixes : frozen) {
    Graph graph = busy_graph(0.0f);
    for (const std::string& prefix : prefixes) graph.freeze(prefix);
    Executor fast(graph, {.batch = 4, .train = true});
    Executor reference(graph, {.batch = 4, .train = true, .reference = true});
    for (Executor* each : {&fast, &reference}) {
      each->forward(images.view());
      each->backward(dout.view());
    }
    ASSERT_EQ(fast.updates().size(), reference.updates().size()) << prefixes.back();
    std::size_t trainable = 0;
    for (const Node& node : graph.nodes())
      for (const int param : node.params)
        trainable += graph.params()[static_cast<std::size_t>(param)].trainable();
    EXPECT_EQ(fast.updates().size(), trainable) << prefixes.back();
    for (std::size_t i = 0; i < fast.updates().size(); ++i) {
      EXPECT_EQ(fast.updates()[i].name, reference.updates()[i].name);
      if (fast.updates()[i].name == "b.conv.bias") continue;  // nothing but rounding
      const Tensor wanted = reference.unpack(i, reference.updates()[i].grad);
      EXPECT_LT(difference(wanted.data(), fast.unpack(i, fast.updates()[i].grad).data()), 1e-4)
          << fast.updates()[i].name << " " << prefixes.back();
    }
    Graph a = graph.clone(), b = graph.clone();
    fast.store(a);
    reference.store(b);
    for (const Param& param : a.params())
      EXPECT_LT(difference(b.find_param(param.name)->value.data(), param.value.data()), 1e-5) << param.name;
  }
}

TEST(Executor, AFrozenMiddleLetsTheGradientThrough) {
  Graph graph = busy_graph(0.0f);
  graph.freeze("a.");
  graph.freeze("se.");
  const Tensor images = random_tensor({4, 3, 16, 16}, 13), dout = random_tensor({4, 5}, 14);
  Executor fast(graph, {.batch = 4, .train = true});
  Executor reference(graph, {.batch = 4, .train = true, .reference = true});
  for (Executor* each : {&fast, &reference}) {
    each->forward(images.view());
    each->backward(dout.view());
  }
  EXPECT_LT(difference(gradient_of(reference, "stem.conv.weight").data(),
                       gradient_of(fast, "stem.conv.weight").data()),
            1e-4);
  for (const Update& update : fast.updates()) EXPECT_FALSE(update.name.starts_with("a."));
}

TEST(Executor, GivesTheSameBitsAgainAndDropoutDependsOnTheStepAlone) {
  const Graph graph = busy_graph();
  const Tensor images = random_tensor({4, 3, 16, 16}, 15), dout = random_tensor({4, 5}, 16);
  const auto run = [&](std::int64_t step, std::uint64_t seed) {
    Executor executor(graph, {.batch = 4, .train = true, .seed = seed});
    executor.forward(images.view(), step);
    executor.backward(dout.view());
    const auto grad = update_of(executor, "stem.conv.weight").grad;
    return std::vector<float>(grad.begin(), grad.end());
  };
  EXPECT_EQ(run(5, 1), run(5, 1));
  EXPECT_NE(run(5, 1), run(6, 1));
  EXPECT_NE(run(5, 1), run(5, 2));
}

void expect_same_gradients(const Executor& wanted, const Executor& got) {
  ASSERT_EQ(wanted.updates().size(), got.updates().size());
  for (std::size_t i = 0; i < wanted.updates().size(); ++i)
    EXPECT_TRUE(std::ranges::equal(wanted.updates()[i].grad, got.updates()[i].grad))
        << wanted.updates()[i].name;
}

/// Blocks of every kind of layer, each between narrow maps, so that it pays to keep those alone.
Graph deep_graph() {
  Graph g;
  NodeId x = g.input({1, 3, 16, 16});
  for (int i = 0; i < 4; ++i) {
    const auto add = [&](const char* name, AnyLayer layer, std::vector<NodeId> inputs) {
      return g.add(text("b", i, ".", name), std::move(layer), std::move(inputs));
    };
    x = add("conv", Conv2d{.out = 32, .kernel = 3, .pad = 1, .bias = false}, {x});
    x = add("bn", BatchNorm{}, {x});
    x = add("relu", Activate{}, {x});
    x = add("pool", MaxPool2d{.kernel = 3, .stride = 1, .pad = 1}, {x});
    x = add("drop", Dropout{.p = 0.25f}, {x});
    NodeId y = add("depthwise", Conv2d{.out = 32, .kernel = 3, .pad = 1, .groups = 32}, {x});
    y = add("swish", Activate{.function = Activation::hard_swish}, {y});
    NodeId gate = add("squeeze", GlobalAvgPool{}, {y});
    gate = add("fc", Conv2d{.out = 32}, {gate});
    gate = add("sigmoid", Activate{.function = Activation::hard_sigmoid}, {gate});
    y = add("scale", Multiply{}, {y, gate});
    y = add("bn2", BatchNorm{}, {y});
    x = add("add", Add{}, {y, x});
    const NodeId left = add("left", Conv2d{.out = 16}, {x}), right = add("right", Conv2d{.out = 16}, {x});
    x = add("cat", Concat{}, {left, right});
    x = add("bn3", BatchNorm{}, {x});
    x = add("narrow", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {x});
  }
  x = g.add("flatten", Flatten{}, {x});
  g.add("fc", Linear{.out = 5}, {x});
  g.init(parse_init("he_normal"), Rng(3));
  return g;
}

TEST(Executor, WhatIsMadeAnewInsteadOfKeptHasTheSameBits) {
  const Tensor images = random_tensor({4, 3, 16, 16}, 15), dout = random_tensor({4, 5}, 16);
  const auto train_once = [&](Executor& executor, std::int64_t step) {
    executor.forward(images.view(), step);
    executor.backward(dout.view());
  };
  for (const bool deep : {false, true})
    for (const char* frozen : {"none", "stem", "a.bn1", "b.downbn", "b1"})
      for (const bool bf16 : {false, true}) {
        Graph some = deep ? deep_graph() : busy_graph();
        const auto is_there = [&](const Node& node) { return node.name.starts_with(frozen); };
        if (std::string_view(frozen) != "none") {
          if (std::ranges::none_of(some.nodes(), is_there)) continue;
          some.freeze(frozen);
        }
        if (bf16 && !has_bf16()) continue;
        SCOPED_TRACE(text(deep ? "deep" : "busy", ", frozen ", frozen, bf16 ? ", bf16" : ""));
        const auto executor = [&](Recompute recompute) {
          return Executor(some, {.batch = 4, .train = true, .bf16 = bf16, .recompute = recompute});
        };
        Executor keeping = executor(Recompute::nothing), passes = executor(Recompute::passes),
                 blocks = executor(Recompute::blocks);
        Graph kept = some.clone();
        for (std::int64_t step = 0; step < 2; ++step) train_once(keeping, step);
        keeping.store(kept);
        for (Executor* each : {&passes, &blocks}) {
          for (std::int64_t step = 0; step < 2; ++step) train_once(*each, step);
          expect_same_gradients(keeping, *each);
          Graph rebuilt = some.clone();
          each->store(rebuilt);
          for (std::size_t p = 0; p < kept.params().size(); ++p)
            EXPECT_TRUE(std::ranges::equal(kept.params()[p].value.data(), rebuilt.params()[p].value.data()))
                << kept.params()[p].name;  // running statistics have moved once a step
        }
        if (deep) {
          EXPECT_LT(blocks.memory_bytes(), passes.memory_bytes());
        }
      }
}

TEST(Executor, WithBlocksEveryKindOfLayerIsComputedAnew) {
  const Executor executor(deep_graph(), {.batch = 4, .train = true, .recompute = Recompute::blocks});
  std::set<std::string> anew;
  for (const StepProfile& step : executor.profile())
    if (step.implementation.starts_with("anew: ")) anew.insert(step.kind);
  for (const char* kind : {"conv2d", "batch_norm", "activation", "global_avg_pool", "multiply", "concat",
                           "max_pool2d", "dropout"})
    EXPECT_TRUE(anew.contains(kind)) << kind;
}

TEST(Executor, WhatIsMadeAnewStaysForALaterUse) {
  // The shortcut is read backward by "late" first; then the sum is made anew from it, for "c".
  Graph graph;
  const NodeId x =
      graph.add("front", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {graph.input({1, 16, 16, 16})});
  NodeId shortcut = graph.add("a", Conv2d{.out = 16, .kernel = 3, .pad = 1, .bias = false}, {x});
  shortcut = graph.add("a.bn", BatchNorm{}, {shortcut});
  shortcut = graph.add("a.relu", Activate{}, {shortcut});
  NodeId sum = graph.add("b", Conv2d{.out = 16, .kernel = 3, .pad = 1, .bias = false}, {x});
  sum = graph.add("b.bn", BatchNorm{}, {sum});
  sum = graph.add("b.add", Add{}, {sum, shortcut});
  sum = graph.add("b.relu", Activate{}, {sum});
  NodeId c = graph.add("c", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {sum});
  for (int i = 0; i < 3; ++i) c = graph.add(text("c", i), Conv2d{.out = 16, .kernel = 3, .pad = 1}, {c});
  const NodeId late = graph.add("late", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {shortcut});
  c = graph.add("add", Add{}, {c, late});
  for (int i = 3; i < 12; ++i) c = graph.add(text("c", i), Conv2d{.out = 16, .kernel = 3, .pad = 1}, {c});
  graph.init({}, Rng(3));
  const Tensor images = random_tensor({4, 16, 16, 16}, 1), dout = random_tensor({4, 16, 16, 16}, 2);
  const auto executor = [&](Recompute recompute) {
    return Executor(graph, {.batch = 4, .train = true, .recompute = recompute});
  };
  Executor keeping = executor(Recompute::nothing), passes = executor(Recompute::passes),
           blocks = executor(Recompute::blocks);
  for (Executor* each : {&keeping, &passes, &blocks}) {
    each->forward(images.view());
    each->backward(dout.view());
  }
  expect_same_gradients(keeping, passes);
  expect_same_gradients(keeping, blocks);
  EXPECT_LT(blocks.memory_bytes(), keeping.memory_bytes());
}

TEST(Executor, MakingOutputsAnewSavesMemoryInDeepNetworks) {
  Graph graph;
  NodeId x = graph.input({1, 16, 16, 16});
  for (int i = 0; i < 8; ++i) {
    const NodeId y = graph.add(text("conv", i), Conv2d{.out = 16, .kernel = 3, .pad = 1, .bias = false}, {x});
    NodeId z = graph.add(text("bn", i), BatchNorm{}, {y});
    if (i % 2 == 1) z = graph.add(text("add", i), Add{}, {z, x});
    x = graph.add(text("relu", i), Activate{}, {z});
  }
  graph.init({}, Rng(1));
  const auto memory_of = [&](Recompute recompute) {
    return static_cast<double>(
        Executor(graph, {.batch = 64, .train = true, .recompute = recompute}).memory_bytes());
  };
  EXPECT_LT(memory_of(Recompute::passes), 0.8 * memory_of(Recompute::nothing));
  EXPECT_LT(memory_of(Recompute::blocks), 0.7 * memory_of(Recompute::passes));
}

TEST(Executor, ParametersGoOutAndComeBackAsTheyWere) {
  const Graph graph = busy_graph();
  Executor executor(graph, {.batch = 2, .train = true});
  Graph other = busy_graph();
  other.init(parse_init("constant:0.5"), Rng(1));
  executor.store(other);
  for (const Param& param : other.params())
    EXPECT_TRUE(std::ranges::equal(param.value.data(), graph.find_param(param.name)->value.data()))
        << param.name;
  for (std::size_t i = 0; i < executor.updates().size(); ++i) {
    const Update& update = executor.updates()[i];
    const Tensor plain = executor.unpack(i, update.value);
    std::vector<float> packed(update.value.size(), NAN);
    executor.pack(i, plain.view(), packed);
    EXPECT_TRUE(std::ranges::equal(packed, update.value)) << update.name;
  }
  // A new set of values is taken over, folded statistics too.
  Graph changed = busy_graph();
  for (Param& param : changed.params())
    for (float& v : param.value.data()) v *= 1.25f;
  const Tensor images = random_tensor({2, 3, 16, 16}, 17);
  Executor loaded(graph, {.batch = 2}), fresh(changed, {.batch = 2});
  loaded.load(changed);
  EXPECT_TRUE(std::ranges::equal(loaded.forward(images.view()).data, fresh.forward(images.view()).data));
}

TEST(Executor, NamesTheFirstNodeThatIsNotFinite) {
  Graph graph = busy_graph();
  for (Param& param : graph.params())
    if (param.name == "b.conv.weight") param.value.data()[3] = NAN;
  const Tensor images = random_tensor({2, 3, 16, 16}, 18);
  Executor executor(graph, {.batch = 2, .lower = false});
  EXPECT_EQ(executor.find_not_finite(images.view(), 0), "b.conv");
  Tensor bad = images.clone();
  bad.data()[0] = INFINITY;
  EXPECT_EQ(executor.find_not_finite(bad.view(), 0), "input");
  EXPECT_EQ(Executor(busy_graph(), {.batch = 2}).find_not_finite(images.view(), 0), "");
}

TEST(Executor, NaNGoesThroughWhatCutsOff) {
  Graph graph;
  NodeId x = graph.input({.c = 8, .h = 16, .w = 16});
  for (const Activation function :
       {Activation::relu, Activation::relu6, Activation::hard_sigmoid, Activation::hard_swish})
    x = graph.add(text("norm", static_cast<int>(function)), BatchNorm{}, {x}),
    x = graph.add(text("cut", static_cast<int>(function)), Activate{.function = function}, {x});
  graph.init(parse_init("he_normal"), Rng(3));
  Tensor images = random_tensor({2, 8, 16, 16}, 19);
  images.data()[5] = NAN;
  for (const bool train : {false, true}) {
    Executor executor(graph, {.batch = 2, .train = train});
    const auto out = executor.forward(images.view()).data;
    EXPECT_FALSE(std::ranges::all_of(out, [](float y) { return std::isfinite(y); })) << train;
  }
}

/// An auxiliary head on a value that the main branch reads on, and one on a value that nobody else reads.
Graph graph_with_side_outputs() {
  Graph g;
  NodeId x = g.input({1, 3, 8, 8});
  x = g.add("conv1", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {x});
  const NodeId relu = g.add("relu1", Activate{}, {x});
  const NodeId aux = g.add("aux", Linear{.out = 4}, {g.add("aux.pool", GlobalAvgPool{}, {relu})});
  x = g.add("conv2", Conv2d{.out = 16, .kernel = 3, .pad = 1}, {relu});
  x = g.add("relu2", Activate{}, {x});
  g.add("fc", Linear{.out = 5}, {g.add("pool", GlobalAvgPool{}, {x})});
  g.init(parse_init("he_normal"), Rng(3));
  g.set_side_outputs({relu, aux});
  return g;
}

TEST(SideOutputs, AreTheValuesOfTheirNodesAndCostNothingUnasked) {
  const Graph graph = graph_with_side_outputs();
  const Tensor images = random_tensor({2, 3, 8, 8}, 1);
  for (const bool reference : {false, true}) {
    Executor with(graph, {.batch = 2, .reference = reference, .side_outputs = true});
    Executor without(graph, {.batch = 2, .reference = reference});
    const ConstView out = with.forward(images.view());
    EXPECT_LT(difference(without.forward(images.view()).data, out.data), 1e-6);
    EXPECT_LT(without.profile().size(), with.profile().size());
    for (const StepProfile& step : without.profile()) EXPECT_NE(step.node, "aux");
    EXPECT_THROW(without.side_output(0), std::logic_error);
    const std::array<const char*, 2> names = {"relu1", "aux"};
    for (std::size_t k = 0; k < 2; ++k) {
      Graph part = graph.clone();
      part.cut_after(names[k]);
      EXPECT_TRUE(part.side_outputs().empty());
      Executor alone(part, {.batch = 2});
      const ConstView wanted = alone.forward(images.view());
      EXPECT_EQ(wanted.shape, with.side_output(k).shape);
      EXPECT_LT(difference(wanted.data, with.side_output(k).data), 1e-6) << names[k];
    }
  }
}

TEST(SideOutputs, MayBeLayersThatDoNothingInInference) {
  Graph graph;
  const NodeId image = graph.input({1, 3, 4, 4});
  const NodeId drop = graph.add("drop", Dropout{}, {image});
  graph.add("pool", GlobalAvgPool{}, {drop});
  graph.set_side_outputs({drop});
  const Tensor images = random_tensor({2, 3, 4, 4}, 1);
  Executor executor(graph, {.batch = 2, .side_outputs = true});
  executor.forward(images.view());
  EXPECT_EQ(difference(images.data(), executor.side_output(0).data), 0);
}

TEST(SideOutputs, TheirGradientsAreAddedUp) {
  const Graph graph = graph_with_side_outputs();
  const Tensor images = random_tensor({2, 3, 8, 8}, 1);
  const Tensor dout = random_tensor({2, 5, 1, 1}, 2), dside = random_tensor({2, 16, 8, 8}, 3),
               daux = random_tensor({2, 4, 1, 1}, 4);
  const auto gradient = [&](bool main, bool side, bool aux, bool reference) {
    const auto chosen = [](const Tensor& given, bool wanted) {
      return wanted ? given.clone() : Tensor(given.shape());
    };
    const Tensor a = chosen(dout, main), b = chosen(dside, side), c = chosen(daux, aux);
    Executor executor(graph, {.batch = 2, .train = true, .reference = reference, .side_outputs = true});
    executor.forward(images.view());
    const std::array<ConstView, 2> sides = {b.view(), c.view()};
    executor.backward(a.view(), sides);
    return gradient_of(executor, "conv1.weight");
  };
  for (const bool reference : {false, true}) {
    const Tensor all = gradient(true, true, true, reference);
    Tensor sum = gradient(true, false, false, reference);
    for (const Tensor& part :
         {gradient(false, true, false, reference), gradient(false, false, true, reference)})
      for (std::size_t i = 0; i < sum.data().size(); ++i) sum.data()[i] += part.data()[i];
    EXPECT_LT(difference(sum.data(), all.data()), 1e-5);
  }
  Executor alone(graph, {.batch = 2, .train = true});
  alone.forward(images.view());
  alone.backward(dout.view());
  EXPECT_LT(difference(gradient(true, false, false, false).data(), gradient_of(alone, "conv1.weight").data()),
            1e-5);
}

/// A network in which everything is frozen, with statistics that are not those of any batch.
Graph frozen_busy_graph() {
  Graph graph = busy_graph();
  Rng rng(21);
  for (Param& param : graph.params()) {
    if (param.spec.role == Role::running_mean || param.spec.role == Role::shift)
      for (float& x : param.value.data()) x = 0.3f * rng.normal();
    if (param.spec.role == Role::running_variance || param.spec.role == Role::scale)
      for (float& x : param.value.data()) x = rng.uniform(0.5f, 1.5f);
  }
  graph.freeze("");
  graph.set_side_outputs({graph.id_of("stem.bn"), graph.id_of("b.relu"), graph.id_of("se.scale")});
  return graph;
}

/// Of sum(out * dout).
struct Gradients {
  Tensor image;
  std::vector<Tensor> sides;
};

Gradients gradients_of(const Graph& graph, const Tensor& images, const Tensor& dout, bool reference) {
  Executor executor(
      graph,
      {.batch = 4, .train = true, .reference = reference, .side_outputs = true, .input_gradient = true});
  EXPECT_TRUE(executor.updates().empty());
  executor.forward(images.view());
  std::vector<Tensor> zeros;
  std::vector<ConstView> none;
  for (std::size_t k = 0; k < graph.side_outputs().size(); ++k)
    zeros.emplace_back(executor.side_output(k).shape);
  for (const Tensor& zero : zeros) none.push_back(zero.view());
  executor.backward(dout.view(), none);
  const auto copied = [](ConstView from) {
    Tensor made(from.shape);
    std::ranges::copy(from.data, made.data().begin());
    return made;
  };
  Gradients made;
  made.image = copied(executor.input_gradient());
  for (std::size_t k = 0; k < zeros.size(); ++k) made.sides.push_back(copied(executor.side_gradient(k)));
  return made;
}

TEST(InputGradient, AFrozenNetworkAnswersAsInInferenceWhileItGivesGradients) {
  const Graph graph = frozen_busy_graph();
  const Tensor images = random_tensor({4, 3, 16, 16}, 1);
  Executor inference(graph, {.batch = 4});
  Executor both(graph, {.batch = 4, .train = true, .input_gradient = true});
  EXPECT_LT(difference(inference.forward(images.view()).data, both.forward(images.view()).data), 1e-5);
  EXPECT_THROW(inference.input_gradient(), std::logic_error);
  EXPECT_THROW(Executor(graph, {.batch = 4, .input_gradient = true}), std::logic_error);
}

TEST(InputGradient, IsThatOfTheReferenceInChainsOfAnyLength) {
  const Tensor images = random_tensor({4, 16, 6, 6}, 1), dout = random_tensor({4, 16, 6, 6}, 2);
  Graph graph;
  graph.input({1, 16, 6, 6});
  for (int layers = 1; layers <= 20; ++layers) {
    graph.add(text("conv", layers), Conv2d{.out = 16, .kernel = 3, .pad = 1}, {graph.last()});
    graph.init({}, Rng(3));
    graph.freeze("");
    const Tensor fast = gradients_of(graph, images, dout, false).image;
    EXPECT_LT(difference(gradients_of(graph, images, dout, true).image.data(), fast.data()), 1e-5) << layers;
  }
}

TEST(InputGradient, IsTheSlopeOfTheOutput) {
  const Graph graph = frozen_busy_graph();
  const Tensor images = random_tensor({4, 3, 16, 16}, 1), dout = random_tensor({4, 5, 1, 1}, 2);
  for (const bool reference : {true, false}) {
    const Tensor gradient = gradients_of(graph, images, dout, reference).image;
    Executor inference(graph, {.batch = 4, .reference = true});
    double norm = 0;
    for (const float x : gradient.data()) norm += double{x} * x;
    norm = std::sqrt(norm);
    ASSERT_GT(norm, 0);
    // Along the gradient the slope is its norm, and small steps meet few kinks.
    const double step = 1e-2;
    double slopes[2];
    for (const int sign : {0, 1}) {
      Tensor moved = images.clone();
      for (std::size_t i = 0; i < moved.data().size(); ++i)
        moved.data()[i] += static_cast<float>((sign ? -step : step) * gradient.data()[i] / norm);
      const ConstView out = inference.forward(moved.view());
      slopes[sign] = std::inner_product(out.data.begin(), out.data.end(), dout.data().begin(), 0.0);
    }
    EXPECT_NEAR((slopes[0] - slopes[1]) / (2 * step), norm, 0.01 * norm) << reference;
  }
}

/// Pictures whose gradients are as wanted. A ReLU whose input is a rounding error away from zero may let one
/// through here and not there, so not all have to be.
int agreeing_pictures(const Tensor& wanted, const Tensor& got) {
  EXPECT_EQ(wanted.shape(), got.shape());
  const auto pictures = static_cast<std::size_t>(wanted.shape().n), size = wanted.data().size() / pictures;
  int agreeing = 0;
  for (std::size_t n = 0; n < pictures; ++n)
    agreeing += difference(wanted.data().subspan(n * size, size), got.data().subspan(n * size, size)) < 1e-4;
  return agreeing;
}

TEST(InputGradient, OfSideOutputsIsTheInputGradientOfWhatFollows) {
  const Graph graph = frozen_busy_graph();
  const Tensor images = random_tensor({4, 3, 16, 16}, 1), dout = random_tensor({4, 5, 1, 1}, 2);
  const Gradients twin = gradients_of(graph, images, dout, true),
                  fast = gradients_of(graph, images, dout, false);
  EXPECT_GE(agreeing_pictures(twin.image, fast.image), 3);
  Executor values(graph, {.batch = 4, .side_outputs = true});
  values.forward(images.view());
  ASSERT_EQ(fast.sides.size(), 3u);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_GE(agreeing_pictures(twin.sides[k], fast.sides[k]), 3) << k;
    const Graph after = split_at(graph, graph.node(graph.side_outputs()[k]).name).suffix;
    Tensor value(values.side_output(k).shape);
    std::ranges::copy(values.side_output(k).data, value.data().begin());
    EXPECT_GE(agreeing_pictures(gradients_of(after, value, dout, true).image, twin.sides[k]), 3) << k;
  }
}

}  // namespace
}  // namespace enxerto
