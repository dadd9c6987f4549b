#include "enxerto/weights/conventions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// 0, 1, 2... under this name.
NamedTensor counted(std::string name, std::vector<std::int64_t> dims) {
  NamedTensor made{std::move(name), dims, Tensor(shape_of(dims))};
  std::iota(made.value.data().begin(), made.value.data().end(), 0.0f);
  return made;
}

template <class... Made>
NamedTensors list(Made... made) {
  NamedTensors tensors;
  (tensors.push_back(std::move(made)), ...);
  return tensors;
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}
std::vector<float> values(const NamedTensor& tensor) {
  return {tensor.value.data().begin(), tensor.value.data().end()};
}
using Names = std::vector<std::string>;
using Floats = std::vector<float>;

TEST(Conventions, WrappersAreSeenThrough) {
  const auto unwrapped = [](NamedTensors tensors) {
    return names_of(to_our_convention(std::move(tensors), "f").tensors);
  };
  EXPECT_EQ(unwrapped(list(counted("state_dict.module.conv1.weight", {2}),
                           counted("state_dict.module.fc.bias", {2}),
                           counted("optimizer.state.0.momentum_buffer", {2}), counted("best_acc", {}))),
            (Names{"conv1.weight", "fc.bias"}));
  EXPECT_EQ(
      unwrapped(list(counted("module._orig_mod.a.weight", {1}), counted("module._orig_mod.b.weight", {1}))),
      (Names{"a.weight", "b.weight"}));
  EXPECT_EQ(unwrapped(list(counted("model.a.weight", {1}), counted("optimizer.0", {1}))),
            (Names{"a.weight"}));
  // A layer may be called like a wrapper.
  EXPECT_EQ(unwrapped(list(counted("model.a.weight", {1}), counted("head.weight", {1}))),
            (Names{"model.a.weight", "head.weight"}));
  EXPECT_EQ(unwrapped(list(counted("bn.weight", {1}), counted("bn.num_batches_tracked", {}))),
            (Names{"bn.weight"}));
  EXPECT_TRUE(unwrapped({}).empty());
}

TEST(Conventions, OfWeightsAndTheirAverageTheWeightsAreTaken) {
  const auto unwrapped = [](NamedTensors tensors) { return to_our_convention(std::move(tensors), "f"); };
  const auto average_of = [](const std::string& name) {
    NamedTensor made = counted(name, {2});
    made.value.data()[0] = 7;
    return made;
  };
  // As torchvision's reference scripts and DeiT's leave it; in any order.
  for (const bool average_first : {false, true}) {
    NamedTensors tensors = list(counted("model.a.weight", {2}), average_of("model_ema.module.a.weight"));
    if (average_first) std::swap(tensors[0], tensors[1]);
    tensors.push_back(counted("model_ema.n_averaged", {}));
    tensors.push_back(counted("optimizer.state.0.momentum_buffer", {2}));
    tensors.push_back(counted("max_accuracy", {}));
    const ConventionalWeights made = unwrapped(std::move(tensors));
    EXPECT_EQ(names_of(made.tensors), (Names{"a.weight"}));
    EXPECT_EQ(values(made.tensors[0]), (Floats{0, 1}));
    EXPECT_TRUE(made.leaves_average);
  }
  for (const char* name : {"state_dict", "params", "model"}) {
    const std::string plain = std::string(name) + ".a.weight", average = std::string(name) + "_ema.a.weight";
    const ConventionalWeights made = unwrapped(list(average_of(average), counted(plain, {2})));
    EXPECT_EQ(names_of(made.tensors), (Names{"a.weight"})) << name;
    EXPECT_EQ(values(made.tensors[0]), (Floats{0, 1})) << name;
    // Alone it is what there is.
    const ConventionalWeights alone = unwrapped(list(average_of(average)));
    EXPECT_EQ(names_of(alone.tensors), (Names{"a.weight"})) << name;
    EXPECT_FALSE(alone.leaves_average) << name;
  }
  // torch.optim.swa_utils.AveragedModel, and a figure beside the weights.
  EXPECT_EQ(names_of(unwrapped(list(counted("n_averaged", {}), counted("module.a.weight", {1}))).tensors),
            (Names{"a.weight"}));
  EXPECT_EQ(names_of(unwrapped(list(counted("model.a.weight", {1}), counted("best_acc", {}))).tensors),
            (Names{"a.weight"}));
  EXPECT_EQ(
      names_of(unwrapped(list(counted("model.a.weight", {1}), counted("optim.0.exp_avg", {1}))).tensors),
      (Names{"a.weight"}));
  // Two parts of one network are both needed, whatever they are called.
  EXPECT_EQ(names_of(unwrapped(list(counted("net.a.weight", {1}), counted("model.b.weight", {1}))).tensors),
            (Names{"net.a.weight", "model.b.weight"}));
}

TEST(Conventions, KerassOrdersBecomeOurs) {
  const ConventionalWeights made =
      to_our_convention(list(counted("c/kernel", {1, 2, 3, 2}), counted("c/bias", {2}),
                             counted("d/depthwise_kernel", {1, 2, 2, 2}), counted("fc/kernel", {2, 3}),
                             counted("bn/gamma", {1}), counted("bn/beta", {1}),
                             counted("bn/moving_mean", {1}), counted("bn/moving_variance", {1})),
                        "f");
  EXPECT_EQ(made.convention, Convention::keras);
  EXPECT_EQ(names_of(made.tensors), (Names{"c.weight", "c.bias", "d.weight", "fc.weight", "bn.weight",
                                           "bn.bias", "bn.running_mean", "bn.running_var"}));
  EXPECT_EQ(made.tensors[0].dims, (std::vector<std::int64_t>{2, 3, 1, 2}));
  EXPECT_EQ(values(made.tensors[0]), (Floats{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}));
  EXPECT_EQ(made.tensors[2].dims, (std::vector<std::int64_t>{4, 1, 1, 2}));
  EXPECT_EQ(values(made.tensors[2]), (Floats{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(made.tensors[3].value.shape(), (Shape{3, 2}));
  EXPECT_EQ(values(made.tensors[3]), (Floats{0, 3, 1, 4, 2, 5}));
}

TEST(Conventions, CaffesBatchNormTakesItsFactorAndItsScale) {
  NamedTensor factor = counted("bn1a.2", {1});
  factor.value.data()[0] = 4;
  const ConventionalWeights made = to_our_convention(
      list(counted("res1a.0", {2, 1, 1, 1}), counted("res1a.1", {2}), counted("bn1a.0", {2}),
           counted("bn1a.1", {2}), std::move(factor), counted("scale1a.0", {2}), counted("scale1a.1", {2})),
      "f");
  EXPECT_EQ(made.convention, Convention::caffe);
  EXPECT_EQ(names_of(made.tensors), (Names{"res1a.weight", "res1a.bias", "bn1a.running_mean",
                                           "bn1a.running_var", "bn1a.weight", "bn1a.bias"}));
  EXPECT_EQ(values(made.tensors[2]), (Floats{0, 0.25f}));
  EXPECT_EQ(values(made.tensors[4]), (Floats{0, 1}));
}

TEST(Conventions, TwoTensorsOfOneNameAreRefused) {
  try {
    to_our_convention(list(counted("c/kernel", {1, 1, 1, 1}), counted("c/gamma", {1})), "weights.h5");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_NE(std::string_view(error.what()).find("weights.h5"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace enxerto
