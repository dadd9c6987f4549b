/// Bursts: pictures of one scene that were taken one after the other, and frames of one film.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/doctor/examine.h"
#include "enxerto/doctor/near.h"

namespace enxerto {

/// Two pictures belong together that look roughly alike and of which one of these holds:
/// - the numbers in their names differ by at most `number_distance`, the names being alike otherwise
///   (IMG_0012 and IMG_0014, clip_frame001 and clip_frame002), in the same folder or another;
/// - their names are the same up to the ending, in two folders;
/// - one camera took them at most `seconds` apart, as their EXIF data say.
struct BurstRule {
  std::int64_t number_distance = 2;
  std::int64_t seconds = 5;
  double whole = 0.85, detail = 0.45;  ///< least correlations for "roughly alike"
  double colour = 16;                  ///< most difference, in levels
};

/// Pairs that join the pictures of each burst, sorted by a, then b. Costs a comparison or a few for each
/// picture.
std::vector<NearPair> find_bursts(const Examination& examined, const BurstRule& rule);

/// A name's stem with its last number taken out: "clip_frame001" is {"clip_frame*", 1}; -1 where it has none.
struct NumberedName {
  std::string pattern;
  std::int64_t number = -1;
};
NumberedName numbered_name(std::string_view path);

}  // namespace enxerto
