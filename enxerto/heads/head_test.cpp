#include "enxerto/heads/head.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/heads/golden2_test.h"

namespace enxerto {
namespace {

const std::vector<std::string> names{"a", "b", "c"};

HeadFit fit(const char* kind, const Rows& rows, int pca = 0) {
  HeadConfig config;
  config.kind = kind;
  config.pca = pca;
  config.trees = 10;
  return fit_head(rows, names, config);
}

TEST(Head, EachKindLearnsAndComesBackFromItsFile) {
  const auto rows = tests::made_up_rows(90, 12, 3, 31, 2);
  for (const char* kind : {"logistic", "svm", "ridge", "knn", "tree", "forest"})
    for (const int pca : {0, 6}) {
      const HeadFit found = fit(kind, rows.rows(), pca);
      const Tensor wanted = found.head.probabilities(rows.x.view());
      int right = 0;
      for (std::size_t i = 0; i < 90; ++i) {
        const auto row = wanted.data().subspan(i * 3, 3);
        EXPECT_NEAR(row[0] + row[1] + row[2], 1, 1e-5) << kind;
        right += std::ranges::max_element(row) - row.begin() == rows.y[i] ? 1 : 0;
      }
      EXPECT_GE(right, 85) << kind << ", " << pca << " components";
      EXPECT_EQ(found.report.components, pca) << kind;
      const FittedHead back = head_from(head_file_of(found.head));
      EXPECT_EQ(back.classes, names);
      EXPECT_EQ(back.columns(), 12) << kind;
      EXPECT_TRUE(std::ranges::equal(back.probabilities(rows.x.view()).data(), wanted.data())) << kind;
    }
}

TEST(Head, ColumnsThatDifferInScaleAreStandardised) {
  auto rows = tests::made_up_rows(90, 12, 3, 32);
  EXPECT_FALSE(fit("ridge", rows.rows()).report.standardized);
  for (std::size_t i = 0; i < rows.x.data().size(); i += 3) rows.x.data()[i] *= 1000;
  EXPECT_TRUE(fit("ridge", rows.rows()).report.standardized);
  EXPECT_FALSE(fit("tree", rows.rows()).report.standardized);
}

TEST(Head, CrossValidationChoosesWhetherToStandardise) {
  const auto best = [](const HeadFit& fit) {
    return std::ranges::max(fit.report.path, {}, &PathStep::mean).mean;
  };
  for (const bool loud_ones_tell : {true, false}) {
    // Of 64 columns eight tell the classes apart, and either these or the others are thirty times as loud.
    auto rows = tests::made_up_rows(120, 64, 3, 35, 1);
    Rng noise(36);
    for (std::size_t i = 0; i < rows.x.data().size(); ++i) {
      float& each = rows.x.data()[i];
      const bool tells = i % 64 < 8;
      if (!tells) each = noise.normal();
      if (tells == loud_ones_tell) each *= 30;
    }
    HeadConfig config{.folds = 4};
    const HeadFit chosen = fit_head(rows.rows(), names, config);
    config.standardize = true;
    const HeadFit levelled = fit_head(rows.rows(), names, config);
    config.standardize = false;
    const HeadFit as_they_are = fit_head(rows.rows(), names, config);
    EXPECT_EQ(chosen.report.standardized, !loud_ones_tell);
    EXPECT_EQ(best(chosen), std::max(best(levelled), best(as_they_are)));
    EXPECT_NE(best(levelled), best(as_they_are));
    const FittedHead& same = loud_ones_tell ? as_they_are.head : levelled.head;
    EXPECT_TRUE(
        std::ranges::equal(chosen.head.outputs(rows.x.view()).data(), same.outputs(rows.x.view()).data()));
  }
}

TEST(Head, WhatMakesNoSenseIsAnError) {
  const auto rows = tests::made_up_rows(30, 4, 3, 33);
  EXPECT_THROW(fit("oracle", rows.rows()), Error);
  for (const char* kind : {"knn", "ridge"}) {
    HeadConfig config;
    config.kind = kind;
    config.folds = 5;
    EXPECT_THROW(fit_head(rows.rows(), names, config), Error);
  }
  HeadConfig config;
  config.folds = 5;
  config.strength = 1;
  EXPECT_THROW(fit_head(rows.rows(), names, config), Error);
}

TEST(Head, AFileThatLiesIsRefused) {
  const auto rows = tests::made_up_rows(40, 4, 3, 34);
  const auto lies = [&](const char* kind, const auto& change, int pca = 0) {
    HeadFile file = head_file_of(fit(kind, rows.rows(), pca).head);
    auto json = nlohmann::json::parse(file.metadata.at("enxerto_head"));
    change(file, json);
    file.metadata["enxerto_head"] = json.dump();
    EXPECT_THROW(head_from(file), Error) << kind << ": " << json.dump();
  };
  using Json = nlohmann::json;
  for (const char* kind : {"ridge", "knn", "tree", "forest"}) {
    for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{{"version", 2},
                                                                              {"version", "1"},
                                                                              {"kind", 3},
                                                                              {"kind", "oracle"},
                                                                              {"columns", 0},
                                                                              {"columns", -1},
                                                                              {"columns", 1e30},
                                                                              {"classes", {"a", "b"}},
                                                                              {"classes", {1, 2, 3}},
                                                                              {"classes", "abc"},
                                                                              {"settings", 1},
                                                                              {"temperature", 0},
                                                                              {"temperature", -1},
                                                                              {"temperature", "1"},
                                                                              {"temperature", nullptr}})
      lies(kind, [&, &key = key, &value = value](HeadFile&, Json& json) { json[key] = value; });
    lies(kind, [](HeadFile& file, Json&) { file.tensors.erase(file.tensors.begin()); });
    lies(kind, [](HeadFile& file, Json&) { file.tensors.push_back({"more", {1}, Tensor({.n = 1})}); });
    lies(kind, [](HeadFile&, Json& json) { json = Json::parse("[[[[[[[[1]]]]]]]]"); });
  }
  for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{
           {"k", 0}, {"k", 41}, {"k", 1.5}, {"k", nullptr}, {"metric", "taxi"}, {"vote", 1}})
    lies("knn", [&, &key = key, &value = value](HeadFile&, Json& json) { json["settings"][key] = value; });
  const auto number = [&](std::size_t tensor, float value) {
    lies("knn", [=](HeadFile& file, Json&) { file.tensors[tensor].value.data()[1] = value; });
  };
  number(0, std::nanf(""));
  for (const float value : {3.0f, -1.0f, 0.5f, std::nanf("")}) number(1, value);
  for (const float value : {0.0f, -1.0f, std::nanf("")}) number(2, value);
  for (const float value : {-0.5f, 1.5f, std::nanf("")})
    lies("tree", [=](HeadFile& file, Json&) { file.tensors.back().value.data()[0] = value; });
  for (const std::size_t tensor : {std::size_t{4}, std::size_t{5}})  // pca.components, pca.mean
    lies(
        "tree", [=](HeadFile& file, Json&) { file.tensors[tensor].value.data()[0] = std::nanf(""); }, 3);
  lies(
      "tree", [](HeadFile& file, Json&) { file.tensors.pop_back(); }, 3);
  lies(
      "tree", [](HeadFile& file, Json&) { file.tensors[file.tensors.size() - 2].value.data()[0] = 0; }, 3);
  lies(
      "tree", [](HeadFile&, Json& json) { json["columns"] = 4; }, 3);
}

TEST(Head, NumbersThatAreFlippedEndInAnAnswerOrAnError) {
  const auto rows = tests::made_up_rows(40, 4, 3, 35);
  Rng rng(8);
  for (const char* kind : {"ridge", "knn", "tree", "forest"})
    for (const int pca : {0, 3}) {
      const FittedHead head = fit(kind, rows.rows(), pca).head;
      for (int i = 0; i < 200; ++i) {
        HeadFile file = head_file_of(head);
        const std::span<float> numbers = file.tensors[rng.below(file.tensors.size())].value.data();
        float& number = numbers[rng.below(numbers.size())];
        number = i % 2 ? std::bit_cast<float>(static_cast<std::uint32_t>(rng.bits()))
                       : static_cast<float>(static_cast<std::int64_t>(rng.below(200)) - 100);
        try {
          EXPECT_EQ(head_from(file).probabilities(rows.x.view()).shape().n, 40);
        } catch (const Error&) {
        }
      }
    }
}

TEST(Head, TheSoftmaxOfItsOutputsIsItsProbabilities) {
  const auto rows = tests::made_up_rows(90, 12, 3, 36, 2);
  for (const char* kind : {"ridge", "knn", "tree", "forest"})
    for (const double temperature : {1.0, 2.5}) {
      FittedHead head = fit(kind, rows.rows(), 5).head;
      const Tensor plain = head.outputs(rows.x.view());
      head.temperature = temperature;
      const FittedHead back = head_from(head_file_of(head));
      EXPECT_EQ(back.temperature, temperature);
      const Tensor outputs = back.outputs(rows.x.view()), wanted = back.probabilities(rows.x.view());
      for (std::size_t i = 0; i < outputs.data().size(); i += 3) {
        double sum = 0;
        for (std::size_t k = i; k < i + 3; ++k) {
          EXPECT_EQ(outputs.data()[k], static_cast<float>(plain.data()[k] / temperature));
          sum += std::exp(static_cast<double>(outputs.data()[k]));
        }
        for (std::size_t k = i; k < i + 3; ++k)
          EXPECT_NEAR(std::exp(static_cast<double>(outputs.data()[k])) / sum, wanted.data()[k], 1e-5) << kind;
      }
    }
}

TEST(Head, AFileWithoutADescriptionIsNoHead) { EXPECT_THROW(head_from({}), Error); }

}  // namespace
}  // namespace enxerto
