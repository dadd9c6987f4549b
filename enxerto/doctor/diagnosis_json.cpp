#include <nlohmann/json.hpp>

#include "enxerto/doctor/diagnosis.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

const Picture& picture(const Examination& examined, std::int64_t i) {
  return examined.pictures[static_cast<std::size_t>(i)];
}

Json names_of(const Examination& examined, const std::vector<std::int64_t>& list) {
  Json names = Json::array();
  for (const std::int64_t i : list) names.push_back(picture(examined, i).name);
  return names;
}

Json names_of(const Examination& examined, const std::vector<Group>& groups) {
  Json lists = Json::array();
  for (const Group& group : groups) lists.push_back(names_of(examined, group));
  return lists;
}

Json classes_of(const Diagnosis& diagnosis) {
  Json classes = Json::array();
  for (const ClassCount& its : diagnosis.classes)
    classes.push_back({{"class", its.name},
                       {"n", its.all()},
                       {"train", its.pictures[0]},
                       {"val", its.pictures[1]},
                       {"test", its.pictures[2]}});
  return classes;
}

Json labels_of(const Examination& examined, const Picture& its) {
  Json names = Json::array();
  for (const std::int32_t label : its.labels)
    names.push_back(examined.classes[static_cast<std::size_t>(label)]);
  return names;
}

Json conflicts_of(const Examination& examined, const std::vector<Group>& groups) {
  Json lists = Json::array();
  for (const Group& group : groups) {
    Json members = Json::array();
    for (const std::int64_t i : group)
      members.push_back(
          {{"file", picture(examined, i).name}, {"labels", labels_of(examined, picture(examined, i))}});
    lists.push_back(members);
  }
  return lists;
}

/// How b lies on a, in words.
const char* name_of(Symmetry symmetry) {
  static constexpr std::array<const char*, symmetries> names{"as it is",
                                                             "mirrored",
                                                             "upside down and mirrored",
                                                             "turned by 180",
                                                             "mirrored and turned by 90",
                                                             "turned by 90",
                                                             "turned by 270",
                                                             "mirrored and turned by 270"};
  return names[static_cast<std::size_t>(symmetry)];
}

constexpr const char *by_pixels = "pixels", *by_features = "features";

/// Of each group of near duplicates how it was found.
Json ways_of(const Diagnosis& diagnosis) {
  Json ways = Json::array();
  for (const Group& group : diagnosis.near)
    ways.push_back(is_found_by_features(diagnosis, group) ? by_features : by_pixels);
  return ways;
}

Json pairs_of(const Examination& examined, const std::vector<NearPair>& pairs) {
  Json out = Json::array();
  for (const NearPair& pair : pairs) {
    out.push_back({{"files", {picture(examined, pair.a).name, picture(examined, pair.b).name}},
                   {"by", pair.cosine ? by_features : by_pixels},
                   {"turned", name_of(pair.symmetry)},
                   {"whole", pair.alike.whole},
                   {"detail", pair.alike.detail}});
    if (pair.cosine)
      out.back()["cosine"] = *pair.cosine;
    else
      out.back()["colour"] = pair.alike.colour;
  }
  return out;
}

Json sizes_of(const Examination& examined, const std::vector<std::int64_t>& list) {
  Json out = Json::array();
  for (const std::int64_t i : list) {
    const Picture& its = picture(examined, i);
    out.push_back({{"file", its.name}, {"width", its.width}, {"height", its.height}});
  }
  return out;
}

}  // namespace

Json to_json(const Examination& examined, const Diagnosis& diagnosis) {
  Json unreadable = Json::array(), wrong = Json::array();
  for (const std::int64_t i : diagnosis.unreadable)
    unreadable.push_back({{"file", picture(examined, i).name}, {"error", picture(examined, i).error}});
  for (const std::int64_t i : diagnosis.wrong_extension)
    wrong.push_back(
        {{"file", picture(examined, i).name}, {"format", format_name(*picture(examined, i).format)}});
  return {{"images", examined.pictures.size()},
          {"classes", classes_of(diagnosis)},
          {"unreadable", unreadable},
          {"wrong_extension", wrong},
          {"exact_duplicates", names_of(examined, diagnosis.exact)},
          {"near_duplicates", names_of(examined, diagnosis.near)},
          {"near_found_by", ways_of(diagnosis)},
          {"near_pairs", pairs_of(examined, diagnosis.near_pairs)},
          {"burst_pairs", pairs_of(examined, diagnosis.burst_pairs)},
          {"bursts", names_of(examined, diagnosis.bursts)},
          {"across_splits", names_of(examined, diagnosis.across_splits)},
          {"bursts_across_splits", names_of(examined, diagnosis.bursts_across_splits)},
          {"conflicting_labels", conflicts_of(examined, diagnosis.conflicting)},
          {"tiny", sizes_of(examined, diagnosis.tiny)},
          {"huge", sizes_of(examined, diagnosis.huge)},
          {"odd_colour",
           {{"kind", diagnosis.odd_are_grey ? "grey among coloured" : "coloured among grey"},
            {"files", names_of(examined, diagnosis.odd_colour)}}},
          {"imbalance", diagnosis.imbalance}};
}

}  // namespace enxerto
