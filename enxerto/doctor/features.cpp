#include "enxerto/doctor/features.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

/// Of each row what makes it one long; 0 for who takes no part.
std::vector<float> scales_of(const FeatureRows& features, std::span<const std::uint8_t> takes_part) {
  std::vector<float> scales(takes_part.size(), 0.0f);
  for (std::int64_t i = 0; i < features.rows(); ++i) {
    if (!takes_part[static_cast<std::size_t>(i)]) continue;
    double squares = 0;
    for (const float value : features.row(i)) squares += double{value} * value;
    if (squares > 0 && std::isfinite(squares))
      scales[static_cast<std::size_t>(i)] = static_cast<float>(1 / std::sqrt(squares));
  }
  return scales;
}

struct Neighbour {
  std::int64_t number = 0;
  float cosine = 0;
};

/// The most alike of one row, best first; of equals the smaller numbers.
class Neighbours {
 public:
  void offer(const Neighbour& one, const FeatureRule& rule) {
    if (!(one.cosine >= static_cast<float>(rule.cosine))) return;
    const auto place =
        std::ranges::find_if(best_, [&](const Neighbour& kept) { return kept.cosine < one.cosine; });
    if (place == best_.end() && std::ssize(best_) >= rule.neighbours) return;
    best_.insert(place, one);
    if (std::ssize(best_) > rule.neighbours) best_.pop_back();
  }
  const std::vector<Neighbour>& best() const { return best_; }

 private:
  std::vector<Neighbour> best_;
};

std::vector<AlikePair> pairs_of(const std::vector<Neighbours>& all) {
  std::vector<AlikePair> pairs;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const Neighbour& its : all[i].best()) {
      const auto [low, high] = std::minmax({static_cast<std::int64_t>(i), its.number});
      pairs.push_back({low, high, its.cosine});
    }
  const auto key = [](const AlikePair& pair) { return std::pair(pair.a, pair.b); };
  std::ranges::sort(pairs, {}, key);
  pairs.erase(std::ranges::unique(pairs, {}, key).begin(), pairs.end());
  return pairs;
}

constexpr std::int64_t lanes = 32;

/// Rows [begin, begin + lanes), scaled, with the features across: [feature][row], so that sums of many rows
/// grow side by side. Zeros behind the last row.
std::vector<float> across(const FeatureRows& features, const std::vector<float>& scales, std::int64_t begin) {
  std::vector<float> out(static_cast<std::size_t>(features.width * lanes), 0.0f);
  for (std::int64_t lane = 0; lane < std::min(lanes, features.rows() - begin); ++lane) {
    const float scale = scales[static_cast<std::size_t>(begin + lane)];
    if (scale == 0) continue;
    const auto row = features.row(begin + lane);
    for (std::size_t k = 0; k < row.size(); ++k)
      out[k * lanes + static_cast<std::size_t>(lane)] = row[k] * scale;
  }
  return out;
}

std::array<float, lanes> cosines(std::span<const float> row, float scale, const std::vector<float>& block) {
  std::array<float, lanes> sums{};
  for (std::size_t k = 0; k < row.size(); ++k)
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += row[k] * block[k * lanes + lane];
  for (float& sum : sums) sum *= scale;
  return sums;
}

/// Small enough for a plate, and at least as large.
std::optional<Plate> load_plate(const Picture& picture) {
  if (picture.file.empty()) return std::nullopt;
  try {
    DecodeOptions options;
    options.least_width = options.least_height = plate_side;
    return plate_of(load_image(picture.file, options));
  } catch (const Error&) {
    return std::nullopt;  // it was readable a moment ago
  }
}

}  // namespace

std::vector<AlikePair> find_alike(const FeatureRows& features, std::span<const std::uint8_t> takes_part,
                                  const FeatureRule& rule, int threads) {
  ensure(features.rows() == std::ssize(takes_part), "each picture has a row of features");
  const std::vector<float> scales = scales_of(features, takes_part);
  const std::int64_t n = features.rows();
  std::vector<Neighbours> all(scales.size());
  // A thread has some rows, so that each block that it turns across serves many of them.
  constexpr std::int64_t share = 256;
  parallel_for((n + share - 1) / share, threads, [&](std::int64_t part) {
    for (std::int64_t begin = 0; begin < n; begin += lanes) {
      const std::vector<float> block = across(features, scales, begin);
      for (std::int64_t i = part * share; i < std::min(n, (part + 1) * share); ++i) {
        const float scale = scales[static_cast<std::size_t>(i)];
        if (scale == 0) continue;
        const auto found = cosines(features.row(i), scale, block);
        for (std::int64_t lane = 0; lane < std::min(lanes, n - begin); ++lane)
          if (begin + lane != i && scales[static_cast<std::size_t>(begin + lane)] != 0)
            all[static_cast<std::size_t>(i)].offer({begin + lane, found[static_cast<std::size_t>(lane)]},
                                                   rule);
      }
    }
  });
  return pairs_of(all);
}

std::vector<AlikePair> find_alike_slowly(const FeatureRows& features,
                                         std::span<const std::uint8_t> takes_part, const FeatureRule& rule) {
  const std::vector<float> scales = scales_of(features, takes_part);
  std::vector<Neighbours> all(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i)
    for (std::size_t k = 0; k < scales.size(); ++k) {
      if (i == k || scales[i] == 0 || scales[k] == 0) continue;
      const auto a = features.row(static_cast<std::int64_t>(i)),
                 b = features.row(static_cast<std::int64_t>(k));
      double sum = 0;
      for (std::size_t at = 0; at < a.size(); ++at) sum += double{a[at]} * b[at];
      all[i].offer({static_cast<std::int64_t>(k), static_cast<float>(sum * scales[i] * scales[k])}, rule);
    }
  return pairs_of(all);
}

std::vector<NearPair> find_near_by_features(const Examination& examined, const FeatureRows& features,
                                            std::span<const std::uint8_t> takes_part, const FeatureRule& rule,
                                            int threads, UnionFind& known) {
  std::vector<AlikePair> alike = find_alike(features, takes_part, rule, threads);
  std::erase_if(alike, [&](const AlikePair& pair) { return known.find(pair.a) == known.find(pair.b); });
  std::vector<std::int64_t> wanted;
  for (const AlikePair& pair : alike) wanted.insert(wanted.end(), {pair.a, pair.b});
  std::ranges::sort(wanted);
  wanted.erase(std::ranges::unique(wanted).begin(), wanted.end());
  std::vector<std::optional<Plate>> plates(wanted.size());
  parallel_for(std::ssize(wanted), threads, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    plates[at] = load_plate(examined.pictures[static_cast<std::size_t>(wanted[at])]);
  });
  const auto plate_of_picture = [&](std::int64_t i) -> const std::optional<Plate>& {
    return plates[static_cast<std::size_t>(std::ranges::lower_bound(wanted, i) - wanted.begin())];
  };
  std::vector<Laid> laid(alike.size());
  parallel_for(std::ssize(alike), threads, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const auto &a = plate_of_picture(alike[at].a), &b = plate_of_picture(alike[at].b);
    if (a && b) laid[at] = laid_over(*a, *b);
  });
  std::vector<NearPair> tree;
  for (std::size_t i = 0; i < alike.size(); ++i) {
    const Laid& its = laid[i];
    if (!rule.holds(its) || !known.join(alike[i].a, alike[i].b)) continue;
    tree.push_back({.a = alike[i].a,
                    .b = alike[i].b,
                    .symmetry = its.mirrored ? 1 : 0,
                    .alike = {.whole = its.whole, .detail = its.detail, .colour = 0},
                    .cosine = alike[i].cosine});
  }
  return tree;
}

}  // namespace enxerto
