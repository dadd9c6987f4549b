#include "enxerto/report/compare_page.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "enxerto/core/mcnemar.h"
#include "enxerto/core/text.h"
#include "enxerto/report/chart.h"
#include "enxerto/report/markup.h"
#include "enxerto/report/page.h"
#include "enxerto/report/summary.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;
using Runs = std::vector<RunRecord>;

constexpr std::size_t most_settings = 120, most_classes = 60, most_value = 120;
constexpr std::array<std::string_view, most_runs> styles{"run0", "run1", "run2", "run3",
                                                         "run4", "run5", "run6", "run7"};

std::string run_name(std::size_t i, const Texts& t) { return fill(t.run_number, {text(i + 1)}); }

std::string header(const Runs& runs, const char* corner, const Texts& t) {
  std::string out = text("<thead><tr><th scope=col>", corner);
  for (std::size_t i = 0; i < runs.size(); ++i)
    out += text("<th scope=col class=", styles[i], ">", run_name(i, t));
  return out + "<tbody>";
}

/// A row of figures; nothing where no run has one.
std::string row(const Runs& runs, const std::string& label,
                const std::function<std::string(const RunRecord&)>& of) {
  std::string cells;
  bool has_any = false;
  for (const RunRecord& run : runs) {
    const std::string content = of(run);
    has_any |= !content.empty();
    cells += "<td>" + (content.empty() ? no_figure : content);
  }
  return has_any ? text("<tr><th scope=row>", label, cells) : "";
}

std::string shown(Figure value, const std::function<std::string(double)>& format) {
  return value ? format(*value) : "";
}

std::string evaluation_rows(const Runs& runs, std::optional<EvaluationRecord> RunRecord::*split,
                            const char* top1, const char* map, const char* loss, const Texts& t) {
  const auto figure = [&](const char* label, Figure EvaluationRecord::*of, bool is_part) {
    return row(runs, label, [&](const RunRecord& run) {
      const auto& evaluation = run.*split;
      if (!evaluation || !((*evaluation).*of)) return std::string();
      return is_part ? percent((*evaluation).*of, t) : short_number((*evaluation).*of, t);
    });
  };
  return figure(top1, &EvaluationRecord::top1, true) +
         row(runs, t.compare_interval,
             [&](const RunRecord& run) {
               const auto& evaluation = run.*split;
               return evaluation && evaluation->top1_interval ? percent(*evaluation->top1_interval, t)
                                                              : std::string();
             }) +
         figure(map, &EvaluationRecord::mean_average_precision, true) +
         figure(loss, &EvaluationRecord::loss, false);
}

std::string figures_table(const Runs& runs, const Texts& t) {
  std::string out = text("<div class=scroll tabindex=0 role=region aria-label=\"", t.results,
                         "\"><table class=compared><caption>", t.compare_figures, "</caption>",
                         header(runs, t.compare_of, t));
  out += row(runs, t.compare_run, [&](const RunRecord& run) { return escape(title_of(run, t), 80); });
  out += row(runs, t.fact_folder,
             [&](const RunRecord& run) { return escape(run.folder.filename().string(), 60); });
  out += row(runs, t.column_recipe, [](const RunRecord& run) {
    return escape(find_text(find_member(run.config, "transfer"), "recipe"), 40);
  });
  out += evaluation_rows(runs, &RunRecord::test, t.tile_test, t.tile_test_map, t.tile_test_loss, t);
  out += evaluation_rows(runs, &RunRecord::val, t.tile_val, t.tile_val_map, t.tile_val_loss, t);
  out += row(runs, t.tile_best, [&](const RunRecord& run) {
    return run.best ? text(fixed(run.best->epoch, 0), " / ", grouped(run.epochs_done, t)) : std::string();
  });
  out += row(runs, t.tile_time, [&](const RunRecord& run) {
    return shown(run.seconds, [&](double seconds) { return duration(seconds, t); });
  });
  out += row(runs, t.tile_speed, [&](const RunRecord& run) {
    return shown(run.images_per_second, [&](double value) { return short_number(value, t); });
  });
  out += row(runs, t.tile_memory, [&](const RunRecord& run) {
    return shown(run.peak_memory_bytes, [&](double bytes) { return size_in_bytes(bytes, t); });
  });
  out += row(runs, t.compare_outcome, [&](const RunRecord& run) { return escape(outcome_of(run, t), 200); });
  return out + "</table></div>\n";
}

std::string curve(const Runs& runs, const char* title, Figure EpochLine::*of, bool is_part, bool is_log,
                  const Texts& t) {
  Chart chart;
  chart.title = title;
  chart.are_proportions = is_part;
  chart.may_be_log = is_log;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Line line{styles[i], run_name(i, t), {}};
    for (const EpochLine& epoch : runs[i].epochs)
      if (const Figure& value = epoch.*of) line.points.push_back({epoch.epoch, *value});
    chart.lines.push_back(std::move(line));
  }
  return draw(chart, t);
}

/// "training.schedule.base" and its value, for all that is no object.
void flatten(const Json& json, const std::string& path, std::map<std::string, std::string>& out) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) flatten(value, path.empty() ? key : path + "." + key, out);
    return;
  }
  const std::string value =
      json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
  out[path.substr(0, 200)] = value.substr(0, 4 * most_value);
}

std::string settings_table(const Runs& runs, const Texts& t) {
  static const std::set<std::string> names{"command", "format", "format_version"};
  std::vector<std::map<std::string, std::string>> settings(runs.size());
  std::set<std::string> keys;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    flatten(runs[i].config, "", settings[i]);
    for (const auto& [key, value] : settings[i])
      if (!names.contains(key) && !key.starts_with("transfer.lr_range")) keys.insert(key);
  }
  std::string rows;
  std::size_t count = 0;
  for (const std::string& key : keys) {
    std::set<std::string> values;
    std::string cells;
    for (const auto& each : settings) {
      const auto found = each.find(key);
      const std::string value = found == each.end() ? no_figure : found->second;
      values.insert(value);
      cells += "<td class=name>" + escape(value, most_value);
    }
    if (values.size() > 1 && ++count <= most_settings) rows += "<tr><th scope=row>" + escape(key, 80) + cells;
  }
  if (rows.empty()) return text("<p>", t.compare_no_settings, "</p>\n");
  return text("<div class=scroll tabindex=0 role=region aria-label=\"", t.compare_settings_heading,
              "\"><table class=words><caption>", t.compare_settings, "</caption>",
              header(runs, t.compare_of, t), rows, "</table></div>\n");
}

std::string digest_of(const RunRecord& run, const char* split) {
  return find_text(find_member(find_member(run.config, "splits"), split), "digest");
}

/// Whether all were measured on the same pictures, as far as is known.
bool share_pictures(const Runs& runs, const char* split) {
  return std::ranges::all_of(runs, [&](const RunRecord& run) {
    return !digest_of(run, split).empty() && digest_of(run, split) == digest_of(runs.front(), split);
  });
}

std::map<std::int64_t, bool> right_by_index(const Predictions& predictions) {
  std::map<std::int64_t, bool> right;
  for (const PictureRecord& each : predictions.pictures) right[each.index] = each.label == each.predicted;
  return right;
}

/// `chosen`: the pictures chose the runs' epochs too.
std::string pairs_table(const Runs& runs, Predictions RunRecord::*of, bool chosen, const Texts& t) {
  std::vector<std::map<std::int64_t, bool>> right;
  for (const RunRecord& run : runs) right.push_back(right_by_index(run.*of));
  struct Pair {
    std::size_t first, second;
    std::int64_t first_alone = 0, second_alone = 0;
  };
  std::vector<Pair> pairs;
  std::vector<double> p;
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (std::size_t k = i + 1; k < runs.size(); ++k) {
      if (right[i].empty() || right[k].empty()) continue;
      Pair pair{i, k};
      for (const auto& [index, is_right] : right[i]) {
        const auto other = right[k].find(index);
        if (other == right[k].end()) continue;
        pair.first_alone += is_right && !other->second;
        pair.second_alone += !is_right && other->second;
      }
      p.push_back(mcnemar(pair.first_alone, pair.second_alone));
      pairs.push_back(pair);
    }
  if (pairs.empty()) return "";
  const std::vector<double> adjusted = adjusted_by_holm(p);
  std::string rows;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    rows += text("<tr><th scope=row>", run_name(pairs[i].first, t), "<td class=name>",
                 run_name(pairs[i].second, t), "<td>", grouped(pairs[i].first_alone, t), "<td>",
                 grouped(pairs[i].second_alone, t), "<td>", short_number(p[i], t), "<td>",
                 short_number(adjusted[i], t));
  return text("<h2>", t.compare_pairs_heading, "</h2><div class=scroll><table><caption>", t.compare_pairs,
              chosen ? text(" ", t.compare_pairs_chosen) : "", "</caption><thead><tr><th scope=col>",
              t.column_first, "<th scope=col>", t.column_second, "<th scope=col>", t.column_first_alone,
              "<th scope=col>", t.column_second_alone, "<th scope=col>", t.column_p, "<th scope=col>",
              t.column_p_adjusted, "<tbody>", rows, "</table></div>\n");
}

std::string classes_table(const Runs& runs, std::optional<EvaluationRecord> RunRecord::*split, const char* on,
                          const Texts& t) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs)
    if (const auto& evaluation = run.*split)
      for (const ClassRecord& each : evaluation->classes)
        if (names.size() < most_classes && std::ranges::find(names, each.name) == names.end())
          names.push_back(each.name);
  if (names.empty()) return "";
  std::string out =
      text("<h2>", t.compare_classes, "</h2><div class=scroll><table><caption>",
           fill(t.compare_classes_caption, {on}), "</caption>", header(runs, t.column_class, t));
  for (const std::string& name : names)
    out += row(runs, escape(name, 40), [&](const RunRecord& run) {
      const auto& evaluation = run.*split;
      if (!evaluation) return std::string();
      const auto found = std::ranges::find(evaluation->classes, name, &ClassRecord::name);
      return found == evaluation->classes.end() || !found->recall ? std::string() : percent(found->recall, t);
    });
  return out + "</table></div>\n";
}

std::string make_body(const Runs& runs, const Texts& t) {
  const bool has_test = std::ranges::all_of(runs, [](const RunRecord& run) { return run.test.has_value(); });
  const std::string charts = curve(runs, t.chart_val_top1, &EpochLine::val_top1, true, false, t) +
                             curve(runs, t.chart_val_loss, &EpochLine::val_loss, false, true, t) +
                             curve(runs, t.chart_train_loss, &EpochLine::train_loss, false, true, t) +
                             curve(runs, t.chart_lr, &EpochLine::lr, false, false, t);
  std::string out = text(
      "<header><h1>", fill(t.compare_title, {text(runs.size())}), "</h1></header>\n<main><section>",
      share_pictures(runs, "val") ? ""
                                  : text("<p class=fault role=note>", t.compare_other_pictures, "</p>\n"),
      figures_table(runs, t), "</section>\n");
  if (!charts.empty())
    out += text("<section><h2>", t.curves, "</h2><div class=charts>\n", charts, "</div><p>", t.curves_note,
                "<span class=screen>", t.charts_use, "</span></p></section>\n");
  out += "<section>";
  if (has_test && share_pictures(runs, "test"))
    out += pairs_table(runs, &RunRecord::test_predictions, false, t);
  else if (share_pictures(runs, "val"))
    out += pairs_table(runs, &RunRecord::val_predictions, true, t);
  out += has_test ? classes_table(runs, &RunRecord::test, t.compare_test, t)
                  : classes_table(runs, &RunRecord::val, t.compare_val, t);
  return text(out, "</section>\n<section><h2>", t.compare_settings_heading, "</h2>", settings_table(runs, t),
              "</section></main>\n<footer><p>", t.made_by, "</p></footer>");
}

}  // namespace

std::string make_comparison(const Runs& runs, const std::vector<Texts>& languages) {
  std::vector<Body> bodies;
  for (const Texts& t : languages)
    bodies.push_back({t, fill(t.compare_title, {text(runs.size())}), make_body(runs, t)});
  return frame_page(bodies, R"({"val":[],"test":[]})");
}

}  // namespace enxerto
