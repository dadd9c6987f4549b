// What PyTorch says (tools/make_golden_train.py), and parameters without a network. For tests.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/train/penalty.h"

namespace enxerto::tests {

/// The tests run in the repository's root.
inline const nlohmann::json& golden() {
  static const auto once = nlohmann::json::parse(read_text_file("enxerto/train/golden.json"));
  return once;
}

/// Values and gradients that stand in for those of an executor.
struct Parameters {
  std::vector<std::string> names;
  std::vector<std::vector<float>> values, gradients;
  std::vector<bool> decays;

  void add(std::vector<float> value, std::vector<float> gradient, bool decay = true) {
    names.push_back(text("p", names.size()));
    values.push_back(std::move(value));
    gradients.push_back(std::move(gradient));
    decays.push_back(decay);
  }
  std::vector<Update> updates() {
    std::vector<Update> made;
    for (std::size_t i = 0; i < values.size(); ++i)
      made.push_back({names[i], values[i], gradients[i], decays[i]});
    return made;
  }
};

inline void expect_near_all(const std::vector<double>& wanted, std::span<const float> got, double absolute,
                            double relative, const std::string& where) {
  ASSERT_EQ(wanted.size(), got.size()) << where;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(wanted[i], got[i], absolute + relative * std::abs(wanted[i])) << where << ", element " << i;
}

}  // namespace enxerto::tests
