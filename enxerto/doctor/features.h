/// Near duplicates that the small pictures of look.h miss: cut out, turned by some degrees, in other colours.
/// The features of a network find who is alike, registration (registration.h) decides who shows the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/doctor/examine.h"
#include "enxerto/doctor/near.h"
#include "enxerto/doctor/registration.h"

namespace enxerto {

/// A network's features of pictures, a row each; 4 * width bytes a picture. Who makes them is the caller's
/// business: the doctor knows no networks.
struct FeatureRows {
  std::int64_t width = 0;
  std::vector<float> values;  ///< rows in the order of Examination::pictures; zeros where there are none
  std::int64_t rows() const { return width ? static_cast<std::int64_t>(values.size()) / width : 0; }
  std::span<const float> row(std::int64_t i) const {
    return std::span(values).subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width));
  }
};

/// When two pictures are alike enough to be laid over each other, and when they show the same then.
struct FeatureRule {
  double cosine = 0.65;                             ///< least, of two rows
  int neighbours = 4;                               ///< the most alike of each picture that are looked at
  double whole = 0.90, detail = 0.85, fine = 0.60;  ///< least correlations where they lie over each other
  double overlap = 0.30;                            ///< least part of the larger that has to

  bool holds(const Laid& laid) const {
    return laid.whole >= whole && laid.detail >= detail && laid.fine >= fine && laid.overlap >= overlap;
  }
};

struct AlikePair {
  std::int64_t a = 0, b = 0;  ///< a < b
  double cosine = 0;
  friend bool operator==(const AlikePair&, const AlikePair&) = default;
};

/// Pairs of which one is among the most alike of the other, sorted by a, then b. Rows that `takes_part` does
/// not say, of zeros or not finite take no part. Compares all with all, in blocks: n * n * width products, so
/// that 10,000 pictures by 1,280 features take some seconds, 100,000 a hundred times that. The result does
/// not depend on `threads`.
std::vector<AlikePair> find_alike(const FeatureRows& features, std::span<const std::uint8_t> takes_part,
                                  const FeatureRule& rule, int threads);

/// The same one row by the other, for tests; the cosines are equal to within 1e-5.
std::vector<AlikePair> find_alike_slowly(const FeatureRows& features,
                                         std::span<const std::uint8_t> takes_part, const FeatureRule& rule);

/// Alike pairs that show the same by registration, and that `known` does not have in one set; joins them in
/// it. Pictures without a file of their own take no part. Decodes again who has an alike one, and takes 9 KB
/// for each of these; a pair costs some milliseconds. The result does not depend on `threads`.
std::vector<NearPair> find_near_by_features(const Examination& examined, const FeatureRows& features,
                                            std::span<const std::uint8_t> takes_part, const FeatureRule& rule,
                                            int threads, UnionFind& known);

}  // namespace enxerto
