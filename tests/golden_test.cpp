// Whole networks against golden numbers of PyTorch in double (tools/make_golden.py, tests/golden/*.json).
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/tolerance.h"
#include "enxerto/zoo/zoo.h"
#include "tests/golden_inputs.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
using namespace golden;

/// As value_of() in make_golden.py.
void fill(Param& param) {
  const Rng rng = hashed(param.name);
  const Shape& shape = param.spec.shape;
  const auto fan_in = static_cast<double>(shape.c * shape.h * shape.w);
  const float size = param.name.ends_with("bn2.bias") ? 2.0f : 1.0f;
  const auto data = param.value.data();
  for (std::size_t i = 0; i < data.size(); ++i) {
    const float x = uniform(rng, i);
    const Role role = param.spec.role;
    if (role == Role::weight)
      data[i] = static_cast<float>(std::sqrt(6.0 / fan_in)) * x;
    else if (role == Role::scale)
      data[i] = 0.25f + 0.0625f * x;
    else if (role == Role::running_variance)
      data[i] = 1.25f + 0.25f * x;
    else if (role == Role::running_mean)
      data[i] = 0.125f * x;
    else
      data[i] = (x < 0 ? -size : size) + 0.125f * x;
  }
}

/// SGD with momentum and weight decay in the gradient, as torch.optim.SGD.
class Sgd {
 public:
  Sgd(float lr, float momentum, float decay) : lr_(lr), momentum_(momentum), decay_(decay) {}
  void step(std::span<const Update> updates) {
    velocities_.resize(updates.size());
    for (std::size_t u = 0; u < updates.size(); ++u) {
      const Update& update = updates[u];
      velocities_[u].resize(update.value.size(), 0.0f);
      for (std::size_t i = 0; i < update.value.size(); ++i) {
        float& v = velocities_[u][i];
        v = momentum_ * v + update.grad[i] + (update.decays ? decay_ * update.value[i] : 0.0f);
        update.value[i] -= lr_ * v;
      }
    }
  }

 private:
  float lr_, momentum_, decay_;
  std::vector<std::vector<float>> velocities_;
};

struct How {
  std::string name, file;
  bool reference = false, lower = true;
  int steps = 1000;  ///< at most
  friend std::ostream& operator<<(std::ostream& out, const How& how) { return out << how.name; }
};

class Golden : public testing::TestWithParam<How> {};

TEST_P(Golden, LogitsGradientsStatisticsAndLossesArePyTorchs) {
  const How how = GetParam();
  const Json golden = Json::parse(read_text_file(text("tests/golden/", how.file, ".json")));
  const int batch_size = golden["batch"], classes = golden["classes"], seed = golden["seed"];
  const Json& sizes = golden["image"];
  const Shape image{batch_size, sizes[0], sizes[1], sizes[2]};
  Graph net = make_net(golden["net"].get<std::string>(), {.image = image, .classes = classes});
  for (Param& param : net.params()) fill(param);
  const auto logits_of = [&](const ConstView& logits) {
    return Doubles(logits.data.begin(), logits.data.end());
  };
  Tensor dlogits({.n = batch_size, .c = classes});
  double worst = 0;

  {
    Executor inference(net, {.batch = batch_size, .reference = how.reference, .lower = how.lower});
    const Batch batch = batch_of(image, static_cast<std::uint64_t>(classes), seed);
    worst = relative_error(logits_of(inference.forward(batch.images.view())), golden["inference_logits"]);
    EXPECT_LT(worst, tests::golden_logits) << "logits in inference";
    RecordProperty("inference_logits", text(worst));
  }

  Executor training(net,
                    {.batch = batch_size, .train = true, .reference = how.reference, .lower = how.lower});
  Sgd sgd(golden["lr"], golden["momentum"], golden["weight_decay"]);
  const int steps = std::min(how.steps, golden["steps"].get<int>());
  double worst_loss = 0, worst_gradient = 0, worst_statistic = 0;
  for (int step = 0; step < steps; ++step) {
    const Batch batch = batch_of(image, static_cast<std::uint64_t>(classes), seed + step);
    const ConstView logits = training.forward(batch.images.view(), step);
    const double loss = cross_entropy(logits, batch.labels, dlogits);
    const double wanted = golden["losses"][static_cast<std::size_t>(step)];
    worst_loss = std::max(worst_loss, std::abs(loss / wanted - 1));
    EXPECT_LT(std::abs(loss / wanted - 1), step == 0 ? tests::golden_logits : tests::golden_losses)
        << "loss " << loss << " of step " << step << ", wanted " << wanted;
    if (step == 0) {
      const double error = relative_error(logits_of(logits), golden["training_logits"]);
      EXPECT_LT(error, tests::golden_logits) << "logits in training";
      RecordProperty("training_logits", text(error));
    }
    training.backward(dlogits.view());
    if (step == 0) {
      const Json& gradients = golden["gradients"];  // none where there is no avoiding the kinks of ReLU
      ASSERT_TRUE(gradients.empty() || gradients.size() == training.updates().size());
      for (std::size_t u = 0; u < gradients.size(); ++u) {
        const Update& update = training.updates()[u];
        const std::string name(update.name);
        const Tensor gradient = training.unpack(u, update.grad);
        const double off = relative_error_of_sketch(sketch(name, gradient.data()), gradients.at(name));
        EXPECT_LT(off, tests::golden_gradients) << "gradient of " << name;
        worst_gradient = std::max(worst_gradient, off);
      }
      training.store(net);
      for (const auto& [name, wanted_sketch] : golden["statistics"].items()) {
        const double off =
            relative_error_of_sketch(sketch(name, net.find_param(name)->value.data()), wanted_sketch);
        EXPECT_LT(off, tests::golden_logits) << name;
        worst_statistic = std::max(worst_statistic, off);
      }
    }
    sgd.step(training.updates());
  }
  RecordProperty("worst_gradient", text(worst_gradient));
  RecordProperty("worst_statistic", text(worst_statistic));
  RecordProperty("worst_loss", text(worst_loss));
}

INSTANTIATE_TEST_SUITE_P(Networks, Golden,
                         testing::Values(How{"lenet5", "lenet5"},
                                         How{"lenet5_as_written", "lenet5", false, false},
                                         How{"lenet5_reference", "lenet5", true}, How{"lecture3", "lecture3"},
                                         How{"lecture3_reference", "lecture3", true, true, 1},
                                         How{"resnet18", "resnet18"},
                                         How{"resnet18_as_written", "resnet18", false, false},
                                         How{"resnet18_224", "resnet18_224"}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace enxerto
