/// Measures for pictures with several labels, where each class is a question of its own. A class counts as
/// predicted where its probability is above one half, that is, its output above 0.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enxerto {

/// How one class fares. A proportion of nothing is empty: recall where the class has no pictures,
/// precision where it was never predicted.
struct ClassScore {
  std::string name;
  std::int64_t n = 0, predicted = 0, right = 0;
  /// The area under the curve of precision over recall, all points, as scikit-learn's
  /// average_precision_score() has it. Only with several labels a picture, and where one shows the class.
  std::optional<double> average_precision = {};
  std::optional<double> precision() const;
  std::optional<double> recall() const;
  std::optional<double> f1() const;  ///< 2 right / (n + predicted)
};

struct MultiLabelScores {
  std::int64_t labelled = 0;  ///< pictures with a label or more
  std::int64_t exact = 0;     ///< pictures of which exactly the labels are predicted
  std::vector<ClassScore> classes;

  /// Of the classes that have one.
  std::optional<double> mean_average_precision() const;
  /// All classes' counts in one: the micro averages.
  ClassScore total() const;
};

/// The average precision of outputs of which `truths` says whether they should be large; of equal outputs all
/// are taken at once. Empty where no truth is set.
std::optional<double> average_precision(std::span<const float> outputs, std::span<const std::uint8_t> truths);

/// Takes pictures one by one. Keeps five bytes for each class of each picture.
class MultiLabelCounter {
 public:
  explicit MultiLabelCounter(std::span<const std::string> classes);
  /// The classes' outputs, and their targets, of which one half and more means that the picture shows it.
  void add(std::span<const float> outputs, std::span<const float> targets);
  MultiLabelScores scores() const;

 private:
  MultiLabelScores counted_;
  std::vector<float> outputs_;        ///< picture by picture
  std::vector<std::uint8_t> truths_;  ///< likewise, 0 or 1
};

}  // namespace enxerto
