#include "enxerto/doctor/diagnosis.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/image/decode.h"

namespace enxerto {
namespace {

const Picture& picture(const Examination& examined, std::int64_t i) {
  return examined.pictures[static_cast<std::size_t>(i)];
}

std::int64_t count(const Examination& examined) {
  return static_cast<std::int64_t>(examined.pictures.size());
}

bool has_wrong_extension(const Picture& picture) {
  if (picture.file.empty() || !picture.format) return false;
  return format_of_ending(std::filesystem::path(picture.file).extension().string()) != picture.format;
}

void join_equal_bytes(const Examination& examined, UnionFind& exact) {
  std::map<std::array<std::uint64_t, 2>, std::int64_t> first;
  for (std::int64_t i = 0; i < count(examined); ++i)
    if (picture(examined, i).is_readable())
      if (const auto [at, fresh] = first.emplace(picture(examined, i).digest, i); !fresh)
        exact.join(at->second, i);
}

/// Near duplicates of one size may have the same pixels in other bytes (another format, other metadata): all
/// of their pixels tell. Only those are decoded again that are no copies of a smaller number.
void join_equal_pixels(const Examination& examined, const std::vector<Group>& near, int threads,
                       UnionFind& exact) {
  std::vector<std::int64_t> candidates;
  for (const Group& group : near) {
    std::map<std::pair<int, int>, std::vector<std::int64_t>> by_size;
    for (const std::int64_t i : group)
      if (exact.find(i) == i) by_size[{picture(examined, i).width, picture(examined, i).height}].push_back(i);
    for (const auto& [size, members] : by_size)
      if (members.size() > 1) candidates.insert(candidates.end(), members.begin(), members.end());
  }
  std::vector<std::array<std::uint64_t, 2>> digests(candidates.size());
  parallel_for(static_cast<std::int64_t>(candidates.size()), threads, [&](std::int64_t i) {
    const Picture& its = picture(examined, candidates[static_cast<std::size_t>(i)]);
    auto& digest = digests[static_cast<std::size_t>(i)];
    digest = its.digest;
    if (its.file.empty()) return;
    try {
      digest = digest_of(load_image(its.file, 3).pixels);
    } catch (const Error&) {
      // It was readable a moment ago; whoever took it away has made it no copy of another.
    }
  });
  std::map<std::tuple<int, int, std::array<std::uint64_t, 2>>, std::int64_t> first;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Picture& its = picture(examined, candidates[i]);
    const auto [at, fresh] = first.emplace(std::tuple(its.width, its.height, digests[i]), candidates[i]);
    if (!fresh) exact.join(at->second, candidates[i]);
  }
}

/// The groups of `joined` that are more than one set of `within`.
std::vector<Group> beyond(const UnionFind& joined, const UnionFind& within) {
  std::vector<Group> out;
  for (Group& group : joined.groups()) {
    const std::int64_t root = within.find(group.front());
    if (std::ranges::any_of(group, [&](std::int64_t i) { return within.find(i) != root; }))
      out.push_back(std::move(group));
  }
  return out;
}

bool have_different_labels(const Examination& examined, const Group& group) {
  return std::ranges::any_of(group, [&](std::int64_t i) {
    return picture(examined, i).labels != picture(examined, group.front()).labels;
  });
}

void find_groups(const Examination& examined, const DoctorRules& rules, int threads,
                 const FeatureRows* features, Diagnosis& out) {
  UnionFind exact(count(examined));
  join_equal_bytes(examined, exact);
  // Copies need not be compared again, and small pictures all look alike.
  std::vector<std::uint8_t> takes_part(examined.looks.size());
  for (std::int64_t i = 0; i < count(examined); ++i) {
    const Picture& its = picture(examined, i);
    const auto at = static_cast<std::size_t>(i);
    takes_part[at] = exact.find(i) == i && !examined.looks[at].flat &&
                     std::min(its.width, its.height) >= rules.least_near_side;
  }
  out.near_pairs = find_near(examined.looks, takes_part, rules.near, threads);
  UnionFind near(count(examined));
  for (const NearPair& pair : out.near_pairs) near.join(pair.a, pair.b);
  join_equal_pixels(examined, near.groups(), threads, exact);
  if (features) {
    const auto more = find_near_by_features(examined, *features, takes_part, rules.features, threads, near);
    out.near_pairs.insert(out.near_pairs.end(), more.begin(), more.end());
  }
  out.exact = exact.groups();
  for (const Group& group : out.exact)
    for (const std::int64_t i : group) near.join(group.front(), i);
  out.near = beyond(near, exact);

  UnionFind related = near;
  for (const NearPair& pair : find_bursts(examined, rules.burst))
    if (related.join(pair.a, pair.b)) out.burst_pairs.push_back(pair);
  out.bursts = beyond(related, near);
  out.related = related.groups();

  // What an exact group tells, a near one that has all of it tells too.
  std::set<std::int64_t> in_near;
  for (const Group& group : out.near) in_near.insert(group.begin(), group.end());
  std::vector<Group> same = out.near;
  for (const Group& group : out.exact)
    if (!in_near.contains(group.front())) same.push_back(group);
  std::ranges::sort(same);
  for (const Group& group : same) {
    if (straddles(examined, group)) out.across_splits.push_back(group);
    if (have_different_labels(examined, group)) out.conflicting.push_back(group);
  }
  for (const Group& group : out.bursts)
    if (straddles(examined, group)) out.bursts_across_splits.push_back(group);
}

void find_odd_colours(const Examination& examined, Diagnosis& out) {
  std::array<std::vector<std::int64_t>, 2> lists;  // coloured, grey
  for (std::int64_t i = 0; i < count(examined); ++i)
    if (picture(examined, i).is_readable())
      lists[examined.looks[static_cast<std::size_t>(i)].grey].push_back(i);
  out.odd_are_grey = lists[1].size() < lists[0].size();
  out.odd_colour = std::move(lists[out.odd_are_grey]);
}

void count_classes(const Examination& examined, const DoctorRules& rules, Diagnosis& out) {
  for (const std::string& name : examined.classes) out.classes.push_back({.name = name});
  for (const Picture& its : examined.pictures)
    for (const std::int32_t label : its.labels)
      ++out.classes[static_cast<std::size_t>(label)].pictures[static_cast<std::size_t>(its.split)];
  if (out.classes.empty()) return;
  const auto [low, high] = std::ranges::minmax(out.classes, {}, &ClassCount::all);
  out.imbalance = static_cast<double>(high.all()) / static_cast<double>(std::max<std::int64_t>(low.all(), 1));
  out.is_unbalanced = out.imbalance >= rules.imbalance;
}

}  // namespace

bool straddles(const Examination& examined, const Group& group) {
  return std::ranges::any_of(group, [&](std::int64_t i) {
    return picture(examined, i).split != picture(examined, group.front()).split;
  });
}

bool is_found_by_features(const Diagnosis& diagnosis, const Group& group) {
  return std::ranges::any_of(diagnosis.near_pairs, [&](const NearPair& pair) {
    return pair.cosine && std::ranges::binary_search(group, pair.a);
  });
}

Diagnosis diagnose(const Examination& examined, const DoctorRules& rules, int threads,
                   const FeatureRows* features) {
  Diagnosis out;
  for (std::int64_t i = 0; i < count(examined); ++i) {
    const Picture& its = picture(examined, i);
    if (has_wrong_extension(its)) out.wrong_extension.push_back(i);
    if (!its.is_readable()) {
      out.unreadable.push_back(i);
      continue;
    }
    if (std::min(its.width, its.height) < rules.tiny_side) out.tiny.push_back(i);
    if (std::int64_t{its.width} * its.height > rules.huge_pixels) out.huge.push_back(i);
  }
  find_groups(examined, rules, threads, features, out);
  find_odd_colours(examined, out);
  count_classes(examined, rules, out);
  return out;
}

}  // namespace enxerto
