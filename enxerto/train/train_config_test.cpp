#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/train/trainer.h"

namespace enxerto {
namespace {

TrainConfig unusual() {
  TrainConfig config{.epochs = 3, .batch = 7, .seed = ~std::uint64_t{0}};
  config.preprocess = Preprocess::imagenet(96, 128);
  config.augment = {.flip = 0.5, .shift_px = 3};
  config.loss = CrossEntropy{.label_smoothing = 0.1, .class_weights = {1, 0.3}};
  config.optimizer = RmsProp{.alpha = 0.95, .mu = 0.1, .centered = true, .form = Form::textbook};
  config.schedule = {.curve = Schedule::Curve::one_cycle, .base = 0.3, .warmup = 2, .total = 99};
  config.penalty = {.l1 = 1e-5, .l2 = 1e-4};
  config.clip_norm = 2.5;
  config.metric = Metric::val_top1;
  config.min_delta = 1e-3;
  config.patience = 4;
  config.workers = 2;
  return config;
}

TEST(TrainConfig, BfloatAndRecomputingAreNamedWhereTheyAreAskedFor) {
  for (bool TrainConfig::*flag : {&TrainConfig::bf16, &TrainConfig::recompute}) {
    TrainConfig config = unusual();
    const Json without = config.to_json();
    config.*flag = true;
    EXPECT_EQ(config.to_json().size(), without.size() + 1);
    EXPECT_EQ(TrainConfig::from_json(config.to_json()), config);
  }
}

TEST(TrainConfig, ComesBackFromJsonAsItWas) {
  EXPECT_EQ(TrainConfig::from_json(Json::parse(unusual().to_json().dump())), unusual());
  for (const std::string& name : optimizer_names()) {
    TrainConfig config;
    config.optimizer = parse_optimizer(name);
    EXPECT_EQ(TrainConfig::from_json(config.to_json()), config) << name;
  }
}

TEST(TrainConfig, AnyKeyTooManyTooFewOrOfTheWrongTypeIsNamed) {
  const Json good = unusual().to_json();
  const Json flat = good.flatten();
  for (const auto& [path, value] : flat.items()) {
    if (path.starts_with("/preprocess") || path.starts_with("/augment")) continue;  // theirs to test
    if (path.find("class_weights") != std::string::npos) continue;
    Json damaged = good;
    const Json::json_pointer place(path);
    damaged.at(place.parent_pointer()).erase(place.back());
    EXPECT_THROW(TrainConfig::from_json(damaged), Error) << path << " removed";
    damaged = good;
    damaged.at(place) = Json::array({1, "x"});
    EXPECT_THROW(TrainConfig::from_json(damaged), Error) << path << " of another type";
    damaged = good;
    damaged.at(place.parent_pointer())["lernrate"] = 1;
    try {
      TrainConfig::from_json(damaged);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_NE(std::string(error.what()).find("lernrate"), std::string::npos) << error.what();
    }
  }
  Json wrong = good;
  wrong["epochs"] = 1e300;
  EXPECT_THROW(TrainConfig::from_json(wrong), Error);
  wrong["epochs"] = std::int64_t{1} << 40;
  EXPECT_THROW(TrainConfig::from_json(wrong), Error);
  wrong["epochs"] = 3;
  wrong["seed"] = -1;
  EXPECT_THROW(TrainConfig::from_json(wrong), Error);
}

}  // namespace
}  // namespace enxerto
