// Whole networks against golden numbers of PyTorch in double (tools/make_golden.py, tests/golden/*.json).
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/tolerance.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
using Doubles = std::vector<double>;

// ---- The inputs: functions of their names, as in make_golden.py.

Rng hashed(std::string_view name) {
  std::uint64_t seed = 0xCBF29CE484222325ull;
  for (const char letter : name) seed = (seed ^ static_cast<unsigned char>(letter)) * 0x100000001B3ull;
  return Rng(seed);
}

/// In [-1, 1).
float uniform(const Rng& rng, std::uint64_t i) {
  return static_cast<float>(rng.at(i) >> 40) * 0x1p-23f - 1.0f;
}

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

struct Batch {
  Tensor images;
  std::vector<std::size_t> labels;
};

Batch batch_of(const Shape& shape, std::uint64_t classes, int number) {
  Batch batch{Tensor(shape), {}};
  const Rng tiles = hashed(text("tiles ", number)), noise = hashed(text("noise ", number));
  std::uint64_t i = 0;
  for (std::int64_t plane = 0; plane < shape.n * shape.c; ++plane)
    for (std::int64_t y = 0; y < shape.h; ++y)
      for (std::int64_t x = 0; x < shape.w; ++x, ++i) {
        const std::int64_t tile = (plane * 8 + y * 8 / shape.h) * 8 + x * 8 / shape.w;
        batch.images.data()[i] =
            uniform(tiles, static_cast<std::uint64_t>(tile)) + 0.125f * uniform(noise, i);
      }
  const Rng labels = hashed(text("labels ", number));
  for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(shape.n); ++n)
    batch.labels.push_back(labels.at(n) % classes);
  return batch;
}

// ---- What is compared.

double norm(const Doubles& values) {
  double sum = 0;
  for (const double x : values) sum += x * x;
  return std::sqrt(sum);
}

/// [2-norm, 16 sums with hash-made signs].
Doubles sketch(const std::string& name, std::span<const float> values) {
  const Rng signs = hashed("signs " + name);
  Doubles made(17, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t bits = signs.at(i);
    const double x = values[i];
    made[0] += x * x;
    for (std::size_t j = 0; j < 16; ++j) made[j + 1] += bits >> j & 1 ? x : -x;
  }
  made[0] = std::sqrt(made[0]);
  return made;
}

/// ||got - wanted|| / ||wanted||. Of sketches: estimated, as the mean square of a signed sum of the
/// differences is the square of their norm.
double relative_error(const Doubles& got, const Doubles& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  Doubles difference;
  for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
    difference.push_back(got[i] - wanted[i]);
  return norm(difference) / norm(wanted);
}
double relative_error_of_sketch(const Doubles& got, const Doubles& wanted) {
  Doubles difference;
  for (std::size_t j = 1; j < 17; ++j) difference.push_back((got[j] - wanted[j]) / 4.0);
  return std::max(norm(difference), std::abs(got[0] - wanted[0])) / wanted[0];
}

/// The mean cross-entropy, and its gradient by the logits.
double cross_entropy(const ConstView& logits, const std::vector<std::size_t>& labels, Tensor& dlogits) {
  const auto classes = static_cast<std::size_t>(logits.shape.c), batch = labels.size();
  double loss = 0;
  for (std::size_t n = 0; n < batch; ++n) {
    const auto row = logits.data.subspan(n * classes, classes);
    double largest = row[0], sum = 0;
    for (const float x : row) largest = std::max<double>(largest, x);
    for (const float x : row) sum += std::exp(x - largest);
    loss += (std::log(sum) + largest - row[labels[n]]) / static_cast<double>(batch);
    for (std::size_t c = 0; c < classes; ++c)
      dlogits.data()[n * classes + c] = static_cast<float>(
          (std::exp(row[c] - largest) / sum - (c == labels[n] ? 1 : 0)) / static_cast<double>(batch));
  }
  return loss;
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
