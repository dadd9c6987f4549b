#include "enxerto/doctor/bursts.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace enxerto {
namespace {

using Pairs = std::vector<NearPair>;

/// So many neighbours in the order of names (or of times) are compared with each picture, so that a thousand
/// folders with a 001.jpg each do not make a million comparisons.
constexpr std::size_t most_neighbours = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Compares each element of `order` with those behind it for as long as `reaches(a, b)` says.
template <class Reaches>
void compare_neighbours(const std::vector<std::int64_t>& order, const Reaches& reaches,
                        const Examination& examined, const BurstRule& rule, Pairs& pairs) {
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t k = i + 1; k < std::min(order.size(), i + 1 + most_neighbours); ++k) {
      if (!reaches(order[i], order[k])) break;
      const Look& a = examined.looks[static_cast<std::size_t>(order[i])];
      const Look& b = examined.looks[static_cast<std::size_t>(order[k])];
      if (a.flat || b.flat) continue;
      const Likeness alike = likeness(a, b, 0, rule.whole);
      if (alike.whole >= rule.whole && alike.detail >= rule.detail && alike.colour <= rule.colour)
        pairs.push_back(
            {.a = std::min(order[i], order[k]), .b = std::max(order[i], order[k]), .alike = alike});
    }
}

}  // namespace

NumberedName numbered_name(std::string_view path) {
  std::string_view stem = path.substr(path.rfind('/') + 1);
  if (const std::size_t dot = stem.rfind('.'); dot != std::string_view::npos && dot > 0)
    stem = stem.substr(0, dot);
  std::size_t end = stem.size();
  while (end > 0 && !is_digit(stem[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_digit(stem[begin - 1])) --begin;
  constexpr std::size_t most_digits = 17;
  if (begin == end || end - begin > most_digits) return {std::string(stem), -1};
  NumberedName out{std::string(stem.substr(0, begin)) + "*" + std::string(stem.substr(end)), 0};
  for (std::size_t i = begin; i < end; ++i) out.number = 10 * out.number + (stem[i] - '0');
  return out;
}

Pairs find_bursts(const Examination& examined, const BurstRule& rule) {
  const std::vector<Picture>& pictures = examined.pictures;
  const auto at = [&](std::int64_t i) -> const Picture& { return pictures[static_cast<std::size_t>(i)]; };
  std::vector<NumberedName> names(pictures.size());
  std::vector<std::int64_t> by_name, by_time;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (!pictures[i].is_readable() || pictures[i].file.empty()) continue;
    names[i] = numbered_name(pictures[i].file);
    by_name.push_back(static_cast<std::int64_t>(i));
    if (pictures[i].taken) by_time.push_back(static_cast<std::int64_t>(i));
  }
  Pairs pairs;
  const auto name_of = [&](std::int64_t i) -> const NumberedName& {
    return names[static_cast<std::size_t>(i)];
  };
  std::sort(by_name.begin(), by_name.end(), [&](std::int64_t a, std::int64_t b) {
    return std::tie(name_of(a).pattern, name_of(a).number, a) <
           std::tie(name_of(b).pattern, name_of(b).number, b);
  });
  compare_neighbours(
      by_name,
      [&](std::int64_t a, std::int64_t b) {
        return name_of(a).pattern == name_of(b).pattern &&
               name_of(b).number - name_of(a).number <= rule.number_distance;
      },
      examined, rule, pairs);
  std::sort(by_time.begin(), by_time.end(), [&](std::int64_t a, std::int64_t b) {
    return std::tie(at(a).taken->camera, at(a).taken->second, a) <
           std::tie(at(b).taken->camera, at(b).taken->second, b);
  });
  compare_neighbours(
      by_time,
      [&](std::int64_t a, std::int64_t b) {
        return at(a).taken->camera == at(b).taken->camera &&
               at(b).taken->second - at(a).taken->second <= rule.seconds;
      },
      examined, rule, pairs);
  const auto key = [](const NearPair& pair) { return std::pair(pair.a, pair.b); };
  std::ranges::sort(pairs, {}, key);
  pairs.erase(std::ranges::unique(pairs, {}, key).begin(), pairs.end());
  return pairs;
}

}  // namespace enxerto
