/// A split that parts nothing that belongs together: each group of duplicates, near duplicates or a burst
/// lies wholly in one part.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "enxerto/doctor/diagnosis.h"

namespace enxerto {

struct SplitWish {
  double val = 0.2, test = 0.2;  ///< parts of all pictures
  std::uint64_t seed = 0;
  bool anew = false;  ///< also where the data has splits of its own
};

/// Where a picture goes: into split_names, or nowhere.
enum class LeftOutFor { nothing, unreadable, copy, conflict };
struct Place {
  int split = 0;
  LeftOutFor left_out = LeftOutFor::nothing;
};

struct Proposal {
  std::vector<Place> places;               ///< of each picture
  std::array<std::int64_t, 3> pictures{};  ///< by split
  bool keeps_own = false;                  ///< the data's own splits, mended; else all is drawn
};

/// Left out are what cannot be read, all exact copies of a picture but the first where their labels agree,
/// and all of them where they do not. Else:
/// - where the data has splits of its own and `anew` is not wished, each group stays where it lies, and one
/// that
///   straddles goes to train;
/// - where not, groups are drawn (largest first, in an order that `seed` gives) so that each class comes as
/// near
///   to its parts as whole groups allow. A class of three pictures or more has one in each part, unless
///   they all belong together.
/// Error{usage} where the parts are not in [0, 1) or leave nothing.
Proposal propose_split(const Examination& examined, const Diagnosis& diagnosis, const SplitWish& wish);

/// CSV as open_data() reads it, with paths from `folder` on. Throws Error: unsupported where pictures have no
/// file of their own, no label, or a label that the manifest cannot hold.
std::string format_manifest(const Examination& examined, const Proposal& proposal, bool multi_label,
                            const std::filesystem::path& folder);

std::string_view reason_name(LeftOutFor reason);

/// {"train", "val", "test" (counts), "left_out", "files"}.
nlohmann::json to_json(const Examination& examined, const Proposal& proposal);

}  // namespace enxerto
