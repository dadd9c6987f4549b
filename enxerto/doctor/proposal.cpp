#include "enxerto/doctor/proposal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

enum { train, val, test };

const Picture& picture(const Examination& examined, std::int64_t i) {
  return examined.pictures[static_cast<std::size_t>(i)];
}

std::vector<Place> leave_out(const Examination& examined, const Diagnosis& diagnosis) {
  std::vector<Place> places(examined.pictures.size());
  const auto leave = [&](std::int64_t i, LeftOutFor reason) {
    places[static_cast<std::size_t>(i)].left_out = reason;
  };
  for (const std::int64_t i : diagnosis.unreadable) leave(i, LeftOutFor::unreadable);
  for (const Group& group : diagnosis.exact) {
    const auto& labels = picture(examined, group.front()).labels;
    const bool agree =
        std::ranges::all_of(group, [&](std::int64_t i) { return picture(examined, i).labels == labels; });
    for (const std::int64_t i : group)
      if (!agree || i != group.front()) leave(i, agree ? LeftOutFor::copy : LeftOutFor::conflict);
  }
  return places;
}

/// What has to stay together: the related groups without what is left out, and every other picture alone.
std::vector<Group> units_of(const Diagnosis& diagnosis, const std::vector<Place>& places) {
  std::vector<std::uint8_t> is_alone(places.size(), 1);
  const auto is_kept = [&](std::int64_t i) {
    return places[static_cast<std::size_t>(i)].left_out == LeftOutFor::nothing;
  };
  std::vector<Group> units;
  for (const Group& group : diagnosis.related) {
    Group kept;
    for (const std::int64_t i : group) {
      is_alone[static_cast<std::size_t>(i)] = 0;
      if (is_kept(i)) kept.push_back(i);
    }
    if (!kept.empty()) units.push_back(std::move(kept));
  }
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(places.size()); ++i)
    if (is_alone[static_cast<std::size_t>(i)] && is_kept(i)) units.push_back({i});
  return units;
}

/// Counts by class, the pictures without a label being one more.
using Counts = std::vector<double>;

class Drawing {
 public:
  Drawing(const Examination& examined, const std::vector<Group>& units, const SplitWish& wish)
      : examined_(examined) {
    Counts all(examined.classes.size() + 1);
    for (const Group& unit : units)
      for (const auto& [label, count] : counts_of(unit)) all[label] += count;
    targets_ = {all, all, all};
    for (std::size_t c = 0; c < all.size(); ++c) {
      double rest = all[c];
      for (const auto& [split, part] : {std::pair{val, wish.val}, {test, wish.test}}) {
        double target = std::round(part * all[c]);
        if (part > 0 && all[c] >= 3) target = std::max(target, 1.0);
        target = std::min(target, std::max(rest - 1, 0.0));
        targets_[static_cast<std::size_t>(split)][c] = target;
        rest -= target;
      }
      targets_[train][c] = rest;
    }
    left_ = targets_;
  }

  /// The split that needs a unit most, by the class of it that is needed least; train where none of the
  /// others has room for it.
  int place(const Group& unit) {
    const auto counts = counts_of(unit);
    int best = train;
    double most = need(counts, train);
    for (const int split : {val, test}) {
      const bool has_room = std::ranges::all_of(counts, [&](const auto& its) {
        return left_[static_cast<std::size_t>(split)][its.first] >= its.second;
      });
      if (const double needed = need(counts, split); has_room && needed > most) {
        most = needed;
        best = split;
      }
    }
    for (const auto& [label, count] : counts) left_[static_cast<std::size_t>(best)][label] -= count;
    return best;
  }

 private:
  std::vector<std::pair<std::size_t, double>> counts_of(const Group& unit) const {
    std::vector<std::pair<std::size_t, double>> counts;
    const auto add = [&](std::size_t label) {
      const auto at = std::ranges::find(counts, label, &std::pair<std::size_t, double>::first);
      if (at == counts.end())
        counts.emplace_back(label, 1);
      else
        ++at->second;
    };
    for (const std::int64_t i : unit) {
      const auto& labels = picture(examined_, i).labels;
      for (const std::int32_t label : labels) add(static_cast<std::size_t>(label));
      if (labels.empty()) add(examined_.classes.size());
    }
    return counts;
  }

  double need(const std::vector<std::pair<std::size_t, double>>& counts, int split) const {
    double least = 2;
    for (const auto& [label, count] : counts) {
      const double target = targets_[static_cast<std::size_t>(split)][label];
      least = std::min(least, target > 0 ? left_[static_cast<std::size_t>(split)][label] / target : -1);
    }
    return least;
  }

  const Examination& examined_;
  std::array<Counts, 3> targets_, left_;
};

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string out = "\"";
  for (const char c : field) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string labels_field(const Examination& examined, const Picture& its, bool multi_label) {
  if (!multi_label) {
    if (its.labels.empty())
      throw Error(ErrorKind::unsupported,
                  text(its.name, ": has no label, and a manifest needs one; make a folder for each class"));
    return quoted(examined.classes[static_cast<std::size_t>(its.labels.front())]);
  }
  std::vector<std::string> names;
  for (const std::int32_t label : its.labels) {
    names.push_back(examined.classes[static_cast<std::size_t>(label)]);
    if (names.back().find('|') != std::string::npos)
      throw Error(ErrorKind::unsupported,
                  text("the label \"", names.back(),
                       "\" has a `|`, which parts labels in a CSV manifest; rename it"));
  }
  return quoted(join(names, "|"));
}

}  // namespace

Proposal propose_split(const Examination& examined, const Diagnosis& diagnosis, const SplitWish& wish) {
  if (!(wish.val >= 0 && wish.test >= 0 && wish.val + wish.test < 1))
    throw Error(ErrorKind::usage, text("validation ", wish.val, " and test ", wish.test,
                                       " have to be at least 0 and leave something to train with"));
  Proposal out{.places = leave_out(examined, diagnosis)};
  out.keeps_own = !wish.anew && std::ranges::any_of(examined.pictures,
                                                    [](const Picture& its) { return its.split != train; });
  std::vector<Group> units = units_of(diagnosis, out.places);
  Rng rng(wish.seed);
  shuffle(units, rng);
  std::ranges::stable_sort(units, std::greater{}, &Group::size);
  Drawing drawing(examined, units, wish);
  for (const Group& unit : units) {
    const int split = !out.keeps_own              ? drawing.place(unit)
                      : straddles(examined, unit) ? static_cast<int>(train)
                                                  : picture(examined, unit.front()).split;
    for (const std::int64_t i : unit) out.places[static_cast<std::size_t>(i)].split = split;
    out.pictures[static_cast<std::size_t>(split)] += std::ssize(unit);
  }
  return out;
}

std::string format_manifest(const Examination& examined, const Proposal& proposal, bool multi_label,
                            const fs::path& folder) {
  // Canonical, for `..` leads elsewhere behind a link; but a link to a picture keeps its name.
  const fs::path from = fs::weakly_canonical(folder.empty() ? fs::path(".") : folder);
  std::map<fs::path, fs::path> canonical;
  std::string out = multi_label ? "path,labels,split\n" : "path,label,split\n";
  for (std::size_t i = 0; i < proposal.places.size(); ++i) {
    const Place& place = proposal.places[i];
    const Picture& its = examined.pictures[i];
    if (place.left_out != LeftOutFor::nothing) continue;
    if (its.file.empty())
      throw Error(
          ErrorKind::unsupported,
          text(its.name, ": is no file of its own, so no manifest can name it; leave out --split-out"));
    const fs::path file(its.file);
    fs::path& parent = canonical[file.parent_path()];
    if (parent.empty())
      parent = fs::weakly_canonical(file.has_parent_path() ? file.parent_path() : fs::path("."));
    const fs::path path = (parent / file.filename()).lexically_relative(from);
    out += text(quoted(path.string()), ",", labels_field(examined, its, multi_label), ",",
                split_names[static_cast<std::size_t>(place.split)], "\n");
  }
  return out;
}

std::string_view reason_name(LeftOutFor reason) {
  switch (reason) {
    case LeftOutFor::nothing:
      return "";
    case LeftOutFor::unreadable:
      return "unreadable";
    case LeftOutFor::copy:
      return "copy of another";
    case LeftOutFor::conflict:
      return "copies with other labels";
  }
  return "";
}

nlohmann::json to_json(const Examination& examined, const Proposal& proposal) {
  nlohmann::json out{{"keeps_own", proposal.keeps_own},
                     {"left_out", nlohmann::json::array()},
                     {"files", nlohmann::json::object()}};
  for (std::size_t split = 0; split < split_names.size(); ++split) {
    out[std::string(split_names[split])] = proposal.pictures[split];
    out["files"][std::string(split_names[split])] = nlohmann::json::array();
  }
  for (std::size_t i = 0; i < proposal.places.size(); ++i) {
    const Place& place = proposal.places[i];
    const std::string& name = examined.pictures[i].name;
    if (place.left_out != LeftOutFor::nothing)
      out["left_out"].push_back({{"file", name}, {"reason", reason_name(place.left_out)}});
    else
      out["files"][std::string(split_names[static_cast<std::size_t>(place.split)])].push_back(name);
  }
  return out;
}

}  // namespace enxerto
