#include "enxerto/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/train/golden_test.h"

namespace enxerto {
namespace {

constexpr double absolute = 2e-6, relative = 2e-6;

TEST(Optimizer, TenStepsAreThoseOfPyTorch) {
  const Json& golden = tests::golden().at("optimizers");
  const auto rates = golden.at("rates").get<std::vector<double>>();
  for (const Json& one : golden.at("cases")) {
    const std::string where = one.at("config").dump();
    const auto config = variant_from_json<OptimizerConfig>(one.at("config"), where);
    tests::Parameters parameters;
    parameters.add(golden.at("start").get<std::vector<float>>(), std::vector<float>(7));
    const auto updates = parameters.updates();
    const auto optimizer = make_optimizer(config, updates);
    for (std::size_t t = 0; t < rates.size(); ++t) {
      const auto gradient = golden.at("gradients")[t].get<std::vector<float>>();
      std::ranges::copy(gradient, parameters.gradients[0].begin());
      optimizer->step(updates, rates[t], {.penalty = {.l2 = one.at("l2").get<double>()}});
      tests::expect_near_all(one.at("steps")[t].get<std::vector<double>>(), parameters.values[0], absolute,
                             relative, text(where, ", step ", t + 1));
    }
  }
}

/// One number's way through ten steps, by a formula in double: w is changed from g, the rate and t from 1.
using Formula = std::function<void(double& w, double g, double lr, int t)>;

void expect_follows(const OptimizerConfig& config, const Formula& formula) {
  tests::Parameters parameters;
  parameters.add({0.75f}, {0});
  const auto updates = parameters.updates();
  const auto optimizer = make_optimizer(config, updates);
  double wanted = 0.75;
  for (int t = 1; t <= 10; ++t) {
    const double lr = 0.1 / t;
    parameters.gradients[0][0] = static_cast<float>(std::sin(t) * 0x1p-2);
    optimizer->step(updates, lr);
    formula(wanted, parameters.gradients[0][0], lr, t);
    EXPECT_NEAR(wanted, parameters.values[0][0], 2e-6) << config.index() << ", step " << t;
  }
}

TEST(Optimizer, TextbookFormsFollowTheirFormulas) {
  double v = 0, s = 0, m = 0, a = 0;
  expect_follows(Momentum{.mu = 0.9, .form = Form::textbook}, [&](double& w, double g, double lr, int) {
    v = 0.9 * v - lr * g;
    w += v;
  });
  v = 0;
  expect_follows(Nesterov{.mu = 0.9, .form = Form::textbook}, [&](double& w, double g, double lr, int) {
    const double before = v;  // the form of cs231n, which is the same
    v = 0.9 * v - lr * g;
    w += -0.9 * before + 1.9 * v;
  });
  expect_follows(AdaGrad{.eps = 1e-2, .form = Form::textbook}, [&](double& w, double g, double lr, int) {
    s += g * g;
    w -= lr * g / std::sqrt(s + 1e-2);
  });
  s = v = 0;
  expect_follows(RmsProp{.alpha = 0.9, .eps = 1e-2, .mu = 0.5, .form = Form::textbook},
                 [&](double& w, double g, double lr, int) {
                   s = 0.9 * s + 0.1 * g * g;
                   v = 0.5 * v - lr * g / std::sqrt(s + 1e-2);
                   w += v;
                 });
  s = v = 0;
  expect_follows(RmsProp{.alpha = 0.9, .eps = 1e-2, .centered = true, .form = Form::textbook},
                 [&](double& w, double g, double lr, int) {
                   s = 0.9 * s + 0.1 * g * g;
                   m = 0.9 * m + 0.1 * g;
                   w -= lr * g / std::sqrt(s - m * m + 1e-2);
                 });
  s = 0;
  expect_follows(AdaDelta{.rho = 0.9, .eps = 1e-2, .form = Form::textbook},
                 [&](double& w, double g, double, int) {
                   s = 0.9 * s + 0.1 * g * g;
                   const double d = std::sqrt(a + 1e-2) / std::sqrt(s + 1e-2) * g;
                   a = 0.9 * a + 0.1 * d * d;
                   w -= d;
                 });
  s = m = 0;
  expect_follows(Adam{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-2, .form = Form::textbook},
                 [&](double& w, double g, double lr, int t) {
                   m = 0.9 * m + 0.1 * g;
                   s = 0.99 * s + 0.01 * g * g;
                   w -= lr * std::sqrt(1 - std::pow(0.99, t)) / (1 - std::pow(0.9, t)) * m /
                        (std::sqrt(s) + 1e-2);
                 });
}

TEST(Optimizer, BothFormsOfMomentumAgreeWhileTheRateStays) {
  for (const bool nesterov : {false, true}) {
    std::vector<std::vector<float>> ends;
    for (const Form form : {Form::pytorch, Form::textbook}) {
      tests::Parameters parameters;
      parameters.add({1, 2}, {0.25f, -0.5f});
      const auto updates = parameters.updates();
      const auto optimizer = nesterov ? make_optimizer(Nesterov{.form = form}, updates)
                                      : make_optimizer(Momentum{.form = form}, updates);
      for (int t = 0; t < 5; ++t) optimizer->step(updates, 0.125);
      ends.push_back(parameters.values[0]);
    }
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(ends[0][i], ends[1][i], 1e-6);
  }
}

TEST(Optimizer, DecoupledDecayLeavesBiasesAlone) {
  tests::Parameters parameters;
  parameters.add({8}, {0});
  parameters.add({8}, {0}, false);
  const auto updates = parameters.updates();
  make_optimizer(AdamW{.weight_decay = 0.5}, updates)->step(updates, 0.25);
  EXPECT_EQ(parameters.values[0][0], 7);
  EXPECT_EQ(parameters.values[1][0], 8);
}

/// Large enough for several chunks, and a bias; element 5 is padding.
tests::Parameters many() {
  tests::Parameters parameters;
  Rng rng(9);
  for (const std::size_t size : {50000, 7}) {
    std::vector<float> value(size), gradient(size);
    for (float& w : value) w = rng.normal();
    for (float& g : gradient) g = rng.normal();
    value[5] = gradient[5] = 0;
    parameters.add(value, gradient, size > 7);
  }
  return parameters;
}

TEST(Optimizer, AllHaveTheSameBitsForAnyNumberOfThreadsKeepPaddingZeroAndGoOnFromTheirState) {
  const int before = threads();
  const Shaping shaping{.penalty = {.l1 = 1e-3, .l2 = 1e-2}, .scale = 0.75};
  for (const std::string& name : optimizer_names()) {
    set_threads(1);
    tests::Parameters straight = many();
    const auto updates = straight.updates();
    const auto optimizer = make_optimizer(parse_optimizer(name), updates);
    for (int t = 0; t < 4; ++t) optimizer->step(updates, 0.01, shaping);
    EXPECT_NE(straight.values, many().values) << name;
    EXPECT_EQ(straight.values[0][5], 0) << name;

    set_threads(3);
    tests::Parameters resumed = many();
    const auto again = resumed.updates();
    const auto first = make_optimizer(parse_optimizer(name), again);
    for (int t = 0; t < 2; ++t) first->step(again, 0.01, shaping);
    const auto second = make_optimizer(parse_optimizer(name), again);
    for (std::size_t s = 0; s < first->slots().size(); ++s)
      for (std::size_t i = 0; i < again.size(); ++i)
        std::ranges::copy(first->slots()[s].blocks[i].data(), second->slots()[s].blocks[i].data().begin());
    second->set_steps(first->steps());
    for (int t = 0; t < 2; ++t) second->step(again, 0.01, shaping);
    EXPECT_EQ(straight.values, resumed.values) << name;
  }
  set_threads(before);
}

TEST(Optimizer, NamesAreListedAndBadValuesRefused) {
  EXPECT_EQ(parse_optimizer("adam"), OptimizerConfig(Adam{}));
  try {
    parse_optimizer("adma");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("rmsprop, adadelta, adam"), std::string::npos) << error.what();
  }
  const std::vector<OptimizerConfig> bad{
      Momentum{.mu = 1},       Momentum{.dampening = 0.1, .form = Form::textbook},
      Adam{.beta2 = 1},        Adam{.eps = 0},
      Sgd{.weight_decay = -1}, RmsProp{.alpha = std::nan("")}};
  for (const OptimizerConfig& config : bad) EXPECT_THROW(make_optimizer(config, {}), Error);
}

}  // namespace
}  // namespace enxerto
