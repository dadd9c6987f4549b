/// The short form of the doctor, before every training: what cannot be read, and what train shares with the
/// pictures that are to judge it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "enxerto/doctor/diagnosis.h"

namespace enxerto {

/// A picture that training does without.
struct LeftOut {
  int split = 0;           ///< into split_names
  std::int64_t index = 0;  ///< in the split as it was
  std::string name, reason;
};

struct TrainingCheck {
  std::int64_t pictures = 0;    ///< looked at
  std::int64_t unreadable = 0;  ///< the first of `left_out`
  std::vector<LeftOut> left_out;
  /// Names of pictures that are in several of the data's own splits: the same bytes, or surely the same
  /// picture.
  std::vector<std::vector<std::string>> shared;
  double seconds = 0;
  nlohmann::json to_json() const;
};

/// Surely the same picture: far stricter than the doctor's own rule, so that nobody is refused for nothing.
inline constexpr NearRule strict_rule{.hash_distance = 6, .whole = 0.985, .detail = 0.95, .colour = 5};

/// Which splits were held back from train, and are not the data's own.
struct HeldBack {
  bool val = false, test = false;
};

/// What is unreadable is left out everywhere. A picture of a split that was held back is left out where train
/// has the same (one that only val and test have, from val): so a split that we draw never leaks, whatever is
/// twice in the data. What the data's own splits share is in `shared`.
TrainingCheck check_for_training(const Splits& splits, const HeldBack& held_back,
                                 const ExamineOptions& options);

/// The splits without what is left out.
Splits leave_out(Splits splits, const std::vector<LeftOut>& left_out);

/// What TrainingCheck::to_json() says was left out. Error{corrupt} where it makes no sense.
std::vector<LeftOut> left_out_from_json(const nlohmann::json& json);

}  // namespace enxerto
