#include "enxerto/train/multi_label.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "enxerto/core/file.h"
#include "enxerto/train/metrics.h"

namespace enxerto {
namespace {

TEST(MultiLabel, MeasuresAreThoseOfScikitLearn) {
  const auto golden = nlohmann::json::parse(read_text_file("enxerto/train/golden_multi_label.json"));
  const std::vector<std::string> names{"a", "b", "c", "d"};
  MultiLabelCounter counter(names);
  for (std::size_t i = 0; i < golden.at("outputs").size(); ++i)
    counter.add(golden.at("outputs")[i].get<std::vector<float>>(),
                golden.at("truths")[i].get<std::vector<float>>());
  const Evaluation evaluation{.classes = names, .n = 30, .confusion = {}, .multi_label = counter.scores()};
  const nlohmann::json json = evaluation.to_json();
  for (const char* key : {"mean_average_precision", "micro_f1", "macro_f1", "exact_match"})
    EXPECT_NEAR(json.at(key).get<double>(), golden.at(key).get<double>(), 1e-12) << key;
  for (const char* key : {"average_precision", "precision", "recall", "f1"})
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_NEAR(json.at("per_class")[k].at(key).get<double>(), golden.at(key)[k].get<double>(), 1e-12)
          << key << ", class " << k;
  EXPECT_TRUE(json.at("multi_label").get<bool>());
  EXPECT_FALSE(json.contains("confusion"));
}

TEST(MultiLabel, AClassOfNoPictureHasNoAveragePrecisionAndDoesNotCountInTheMean) {
  const std::vector<std::string> names{"a", "b"};
  MultiLabelCounter counter(names);
  counter.add(std::vector<float>{1, -1}, std::vector<float>{1, 0});
  counter.add(std::vector<float>{-1, -1}, std::vector<float>{0, 0});
  const MultiLabelScores scores = counter.scores();
  EXPECT_EQ(scores.classes[0].average_precision, 1);
  EXPECT_EQ(scores.classes[1].average_precision, std::nullopt);
  EXPECT_EQ(scores.mean_average_precision(), 1);
  EXPECT_EQ(scores.labelled, 1);
  EXPECT_EQ(scores.exact, 2);
  EXPECT_EQ(MultiLabelCounter(names).scores().mean_average_precision(), std::nullopt);
}

TEST(MultiLabel, EqualOutputsAreTakenAtOnceWhateverTheirOrder) {
  using Truths = std::vector<std::uint8_t>;
  const std::vector<float> outputs{2, 1, 1, 0};
  EXPECT_EQ(average_precision(outputs, Truths{0, 1, 0, 0}), average_precision(outputs, Truths{0, 0, 1, 0}));
  EXPECT_DOUBLE_EQ(*average_precision(outputs, Truths{0, 1, 0, 0}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(*average_precision(outputs, Truths{1, 0, 0, 1}), 0.5 * 1 + 0.5 * 0.5);
}

}  // namespace
}  // namespace enxerto
