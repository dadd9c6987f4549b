#include "enxerto/doctor/check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

enum { train, val, test };

std::vector<Group> find_same(const Examination& examined, int threads) {
  UnionFind same(static_cast<std::int64_t>(examined.pictures.size()));
  std::map<std::array<std::uint64_t, 2>, std::int64_t> first;
  std::vector<std::uint8_t> takes_part(examined.looks.size());
  for (std::size_t i = 0; i < examined.pictures.size(); ++i) {
    const Picture& its = examined.pictures[i];
    if (!its.is_readable()) continue;
    const auto number = static_cast<std::int64_t>(i);
    const auto [at, fresh] = first.emplace(its.digest, number);
    if (!fresh) same.join(at->second, number);
    takes_part[i] =
        fresh && !examined.looks[i].flat && std::min(its.width, its.height) >= DoctorRules{}.least_near_side;
  }
  for (const NearPair& pair : find_near(examined.looks, takes_part, strict_rule, threads))
    same.join(pair.a, pair.b);
  return same.groups();
}

const Picture& picture(const Examination& examined, std::int64_t i) {
  return examined.pictures[static_cast<std::size_t>(i)];
}

/// The first of the group in `split`; -1 where it has none.
std::int64_t find_in(const Examination& examined, const Group& group, int split) {
  const auto at =
      std::ranges::find_if(group, [&](std::int64_t i) { return picture(examined, i).split == split; });
  return at == group.end() ? -1 : *at;
}

}  // namespace

TrainingCheck check_for_training(const Splits& splits, const HeldBack& held_back,
                                 const ExamineOptions& options) {
  const double began = now_seconds();
  ExamineOptions looking = options;
  looking.least_side = luma_side;
  const Examination examined = examine(splits, looking);
  TrainingCheck out;
  out.pictures = static_cast<std::int64_t>(examined.pictures.size());
  const auto leave = [&](const Picture& its, std::string reason) {
    out.left_out.push_back({its.split, its.index, its.name, std::move(reason)});
  };
  for (const Picture& its : examined.pictures)
    if (!its.is_readable()) leave(its, its.error);
  out.unreadable = std::ssize(out.left_out);
  // What was held back came out of train.
  const std::array<int, 3> own{train, held_back.val ? train : val, held_back.test ? train : test};
  for (const Group& group : find_same(examined, options.threads)) {
    const auto own_split = [&](std::int64_t i) {
      return own[static_cast<std::size_t>(picture(examined, i).split)];
    };
    if (std::ranges::any_of(group,
                            [&](std::int64_t i) { return own_split(i) != own_split(group.front()); })) {
      auto& names = out.shared.emplace_back();
      for (const std::int64_t i : group) names.push_back(picture(examined, i).name);
    }
    const std::int64_t in_train = find_in(examined, group, train), in_test = find_in(examined, group, test);
    for (const std::int64_t i : group) {
      const Picture& its = picture(examined, i);
      const bool is_held_back = (its.split == val && held_back.val) || (its.split == test && held_back.test);
      const std::int64_t other = in_train >= 0 ? in_train : its.split == val ? in_test : -1;
      if (is_held_back && other >= 0)
        leave(its, text("shows the same as ", picture(examined, other).name, " in ",
                        split_names[static_cast<std::size_t>(picture(examined, other).split)]));
    }
  }
  out.seconds = now_seconds() - began;
  return out;
}

Splits leave_out(Splits splits, const std::vector<LeftOut>& left_out) {
  const std::array targets{&splits.train, &splits.val, &splits.test};
  for (std::size_t split = 0; split < targets.size(); ++split) {
    auto& data = *targets[split];
    if (!data) continue;
    std::vector<std::uint8_t> is_out(static_cast<std::size_t>(data->size()));
    std::int64_t count = 0;
    for (const LeftOut& its : left_out)
      if (its.split == static_cast<int>(split) && its.index < data->size()) {
        is_out[static_cast<std::size_t>(its.index)] = 1;
        ++count;
      }
    if (count == 0) continue;
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < data->size(); ++i)
      if (!is_out[static_cast<std::size_t>(i)]) kept.push_back(i);
    data = std::make_shared<const Subset>(data, std::move(kept));
  }
  return splits;
}

nlohmann::json TrainingCheck::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const LeftOut& its : left_out)
    list.push_back({{"file", its.name},
                    {"split", split_names[static_cast<std::size_t>(its.split)]},
                    {"index", its.index},
                    {"reason", its.reason}});
  return {{"pictures", pictures},
          {"unreadable", unreadable},
          {"left_out", list},
          {"shared", shared},
          {"seconds", seconds}};
}

std::vector<LeftOut> left_out_from_json(const nlohmann::json& json) {
  std::vector<LeftOut> out;
  try {
    for (const auto& its : json.at("left_out")) {
      LeftOut made{.index = its.at("index").get<std::int64_t>(),
                   .name = its.at("file").get<std::string>(),
                   .reason = its.at("reason").get<std::string>()};
      const auto at = std::ranges::find(split_names, its.at("split").get<std::string>());
      if (at == split_names.end() || made.index < 0)
        throw Error(ErrorKind::corrupt, "names no split or picture");
      made.split = static_cast<int>(at - split_names.begin());
      out.push_back(std::move(made));
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::corrupt, text("is damaged: ", error.what()));
  }
  return out;
}

}  // namespace enxerto
