/// The doctor: what is wrong with a set of labelled pictures, as plain values.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "enxerto/doctor/bursts.h"
#include "enxerto/doctor/examine.h"
#include "enxerto/doctor/features.h"
#include "enxerto/doctor/near.h"

namespace enxerto {

using Group = std::vector<std::int64_t>;  ///< numbers of pictures, ascending; two or more

struct DoctorRules {
  NearRule near;
  FeatureRule features;
  BurstRule burst;
  int tiny_side = 32;                     ///< a shorter side below this is tiny
  std::int64_t huge_pixels = 40'000'000;  ///< more is huge
  double imbalance = 3;                   ///< the largest class by the smallest, from which it is told
  /// Pictures with a side below this are left out of the search for near duplicates: too little to go by.
  int least_near_side = 32;
};

struct ClassCount {
  std::string name;
  std::array<std::int64_t, 3> pictures{};  ///< by split
  std::int64_t all() const { return pictures[0] + pictures[1] + pictures[2]; }
};

/// Lists hold numbers of pictures, ascending; groups are sorted by their first.
struct Diagnosis {
  std::vector<std::int64_t> unreadable;
  std::vector<std::int64_t> wrong_extension;  ///< a picture of another format than the name says
  std::vector<Group> exact;                   ///< the same bytes, or the same pixels decoded
  std::vector<Group> near;            ///< show the same, not all exactly; exact copies of members included
  std::vector<NearPair> near_pairs;   ///< that join them, those that features found last
  std::vector<Group> bursts;          ///< one scene shortly after another, beyond near duplicates
  std::vector<NearPair> burst_pairs;  ///< that join them
  std::vector<Group> across_splits;   ///< of `exact` and `near`: in more than one split
  std::vector<Group> bursts_across_splits;  ///< of `bursts`
  std::vector<Group> conflicting;           ///< of `exact` and `near`: with different labels
  std::vector<Group> related;               ///< all of these joined: what a split must not part
  std::vector<std::int64_t> tiny, huge;
  std::vector<std::int64_t> odd_colour;  ///< grey among mostly coloured ones, or the other way round
  bool odd_are_grey = true;
  std::vector<ClassCount> classes;
  double imbalance = 1;  ///< the largest class by the smallest
  bool is_unbalanced = false;
};

/// Costs little beside examine(), whose threads it may use too; decodes again those near duplicates that may
/// be equal. With features of the pictures also near duplicates that these find. The result does not depend
/// on `threads`.
Diagnosis diagnose(const Examination& examined, const DoctorRules& rules, int threads,
                   const FeatureRows* features = nullptr);

/// Whether pixels alone join a group of near duplicates, or features of a network were needed.
bool is_found_by_features(const Diagnosis& diagnosis, const Group& group);

/// Whether a group's pictures lie in more than one split.
bool straddles(const Examination& examined, const Group& group);

/// The keys of `enxerto doctor --json` but for the split.
nlohmann::json to_json(const Examination& examined, const Diagnosis& diagnosis);

}  // namespace enxerto
