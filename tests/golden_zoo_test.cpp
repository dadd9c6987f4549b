// Every network that torchvision or Keras has too against their numbers in double (tools/make_golden_zoo.py,
// tools/make_golden_keras.py, tests/golden/zoo/*.json).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "enxerto/core/file.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/tolerance.h"
#include "enxerto/zoo/zoo.h"
#include "tests/golden_inputs.h"

namespace enxerto {
namespace {

using namespace golden;
using Json = nlohmann::json;

/// As value_of() in make_golden_zoo.py.
void fill(Param& param, double gain, float high) {
  const Rng rng = hashed(param.name);
  const Shape& shape = param.spec.shape;
  const auto size =
      static_cast<float>(gain * std::sqrt(6.0 / static_cast<double>(shape.c * shape.h * shape.w)));
  const auto shift = [&](std::size_t channel) {
    return channel % 4 == 3 ? -1.0f : channel % 8 == 5 && high > 0 ? high : 1.0f;
  };
  const auto data = param.value.data();
  for (std::size_t i = 0; i < data.size(); ++i) {
    const float x = uniform(rng, i);
    switch (param.spec.role) {
      case Role::weight:
        data[i] = size * x;
        break;
      case Role::scale:
        data[i] = 0.25f + 0.0625f * x;
        break;
      case Role::running_variance:
        data[i] = 1.25f + 0.25f * x;
        break;
      case Role::running_mean:
        data[i] = 0.125f * x;
        break;
      case Role::bias:
      case Role::shift:
        data[i] = shift(i) + 0.125f * x;
        break;
    }
  }
}

/// The same graph with dropout that drops nothing.
Graph without_dropout(const Graph& graph) {
  Graph made;
  made.input(graph.input_shape());
  for (const Node& node : graph.nodes().subspan(1))
    made.add(node.name, std::holds_alternative<Dropout>(node.layer) ? AnyLayer(Dropout{.p = 0}) : node.layer,
             node.inputs);
  made.set_side_outputs({graph.side_outputs().begin(), graph.side_outputs().end()});
  return made;
}

Doubles doubles(const ConstView& view) { return Doubles(view.data.begin(), view.data.end()); }

class GoldenZoo : public testing::TestWithParam<const char*> {
 protected:
  GoldenZoo()
      : golden(Json::parse(read_text_file(text("tests/golden/zoo/", GetParam(), ".json")))),
        shape{golden["batch"], golden["image"][0], golden["image"][1], golden["image"][2]},
        net(without_dropout(
            make_net(golden["net"].get<std::string>(), {.image = shape, .classes = golden["classes"]}))),
        batch(batch_of(shape, golden["classes"], golden["seed"])) {
    for (Param& param : net.params()) fill(param, golden["gain"], golden["high"]);
  }
  /// Of the training pass; both losses weighted as they were there.
  double backward(Executor& training, const ConstView& logits) {
    const auto dlogits = [&] { return Tensor({.n = shape.n, .c = golden["classes"]}); };
    Tensor main = dlogits();
    double loss = cross_entropy(logits, batch.labels, main);
    std::vector<Tensor> sides;
    std::vector<ConstView> views;
    for (std::size_t k = 0; k < net.side_outputs().size(); ++k) {
      sides.push_back(dlogits());
      const double share = golden["auxiliary"];
      loss += share * cross_entropy(training.side_output(k), batch.labels, sides[k], share);
    }
    for (const Tensor& side : sides) views.push_back(side.view());
    training.backward(main.view(), views);
    return loss;
  }
  /// The norm of the difference, estimated. A sketch [0] is of what is zero but for rounding errors.
  static double error(const Doubles& got, const Doubles& wanted) {
    return wanted.size() == 1 ? got[0] : wanted[0] * relative_error_of_sketch(got, wanted);
  }
  /// What an error is measured by: the gradient's norm. The terms of a shift or bias cancel where the next
  /// batch norm takes away what it adds: there at least the norm of the weight beside it, a weighted sum of
  /// the same terms.
  double size_of(const Json& wanted, const std::string& name) const {
    const auto norm_of = [&](const std::string& each) { return wanted.at(each).at(0).get<double>(); };
    const std::string node = name.substr(0, name.rfind('.') + 1);
    const bool cancels = wanted.at(name).size() == 1 || net.find_param(node + "running_mean");
    return cancels && name.ends_with(".bias") ? std::max(norm_of(name), norm_of(node + "weight"))
                                              : norm_of(name);
  }
  void expect_gradients(const Executor& training) {
    const Json& wanted = golden["gradients"];
    ASSERT_EQ(wanted.size(), training.updates().size());
    constexpr std::size_t largest = 1 << 18;
    double worst = 0;
    for (std::size_t u = 0; u < wanted.size(); ++u) {
      const Update& update = training.updates()[u];
      const std::string name(update.name);
      const Tensor gradient = training.unpack(u, update.grad);
      const Doubles got = sketch(name, gradient.data(), 4, gradient.data().size() / largest + 1);
      const double off = error(got, wanted.at(name)) / size_of(wanted, name);
      EXPECT_LT(off, tests::golden_gradients) << "gradient of " << name;
      worst = std::max(worst, off);
    }
    RecordProperty("worst_gradient", text(worst));
  }

  Json golden;
  Shape shape;
  Graph net;
  Batch batch;
};

TEST_P(GoldenZoo, LogitsAndGradientsAreThoseOfTheOtherFramework) {
  {
    Executor inference(net, {.batch = static_cast<int>(shape.n)});
    const double off =
        relative_error(doubles(inference.forward(batch.images.view())), golden["inference_logits"]);
    EXPECT_LT(off, tests::golden_logits) << "logits in inference";
    RecordProperty("inference_logits", text(off));
  }
  if (!golden.contains("gradients")) return;
  Executor training(net, {.batch = static_cast<int>(shape.n), .train = true, .side_outputs = true});
  const ConstView logits = training.forward(batch.images.view());
  const double off = relative_error(doubles(logits), golden["training_logits"]);
  EXPECT_LT(off, tests::golden_logits) << "logits in training";
  RecordProperty("training_logits", text(off));
  for (std::size_t k = 0; k < net.side_outputs().size(); ++k)
    EXPECT_LT(relative_error(doubles(training.side_output(k)), golden["side_logits"][k]),
              tests::golden_logits)
        << "logits of side output " << k;
  const double loss = backward(training, logits);
  EXPECT_LT(std::abs(loss / golden["loss"].get<double>() - 1), tests::golden_logits) << "loss " << loss;
  expect_gradients(training);
}

INSTANTIATE_TEST_SUITE_P(Torchvision, GoldenZoo,
                         testing::Values("alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn",
                                         "vgg13_bn", "vgg16_bn", "vgg19_bn", "googlenet", "googlenet_aux",
                                         "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
                                         "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
                                         "squeezenet1_0", "squeezenet1_1"),
                         [](const auto& test) { return std::string(test.param); });
INSTANTIATE_TEST_SUITE_P(Keras, GoldenZoo,
                         testing::Values("resnet50_keras", "resnet101_keras", "resnet152_keras",
                                         "mobilenet_v1", "mobilenet_v1_0.75", "mobilenet_v1_0.5",
                                         "mobilenet_v1_0.25", "mobilenet_v2_keras",
                                         "mobilenet_v3_small_minimalistic",
                                         "mobilenet_v3_large_minimalistic"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace enxerto
