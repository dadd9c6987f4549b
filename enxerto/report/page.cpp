#include "enxerto/report/page.h"

#include <algorithm>
#include <sstream>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/report/asked_section.h"
#include "enxerto/report/assets.h"
#include "enxerto/report/chart.h"
#include "enxerto/report/layers_section.h"
#include "enxerto/report/markup.h"
#include "enxerto/report/pictures_section.h"
#include "enxerto/report/summary.h"
#include "enxerto/report/tables.h"
#include "enxerto/report/transfer_section.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t most_text = 300;        // characters of one fact
constexpr std::size_t most_class_names = 60;  // in the list of classes

/// The classes of the matrix's cells for one theme: ".r1" to ".r10" and ".w1" to ".w10".
std::string shades(std::string_view percents, int first_inverse) {
  std::string out;
  int level = 1;
  for (const std::string& part : split(percents, ' ')) {
    const std::string color = level < first_inverse ? "var(--ink)" : "var(--inverse)";
    for (const auto& [letter, variable] : {std::pair{'r', "--right"}, std::pair{'w', "--wrong"}})
      out += text(".matrix .", letter, level, ",.strip .", letter, level, "{background:rgba(var(", variable,
                  "),.",
                  part == "100"      ? "99"
                  : part.size() == 1 ? "0" + part
                                     : part,
                  ")!important;color:", color, "!important}");
    ++level;
  }
  return out;
}

std::string style() {
  return text(uplot_style, page_style, shades(light_shades, 8), "@media (prefers-color-scheme:dark){",
              shades(dark_shades, 6), "}\n");
}

std::string tile(const char* label, const std::string& figure, const std::string& note) {
  return text("<div><dt>", label, "<dd><b>", figure, "</b><span>", note, "</span></div>");
}

std::string top1_tile(const char* label, Figure top1, const std::optional<Bounds>& interval, const Texts& t) {
  return top1 ? tile(label, percent(top1, t), interval ? fill(t.tile_interval, {percent(*interval, t)}) : "")
              : "";
}

/// What the tiles of one split are called.
struct TileLabels {
  const char *top1, *map, *loss;
};

std::string evaluation_tile(const TileLabels& labels, const EvaluationRecord& evaluation, const Texts& t) {
  if (evaluation.only_loss()) return tile(labels.loss, short_number(evaluation.loss, t), "");
  return evaluation.multi_label ? tile(labels.map, percent(evaluation.mean_average_precision, t),
                                       fill(t.tile_map_note, {percent(evaluation.exact_match, t)}))
                                : top1_tile(labels.top1, evaluation.top1, evaluation.top1_interval, t);
}

std::string tiles(const RunRecord& run, const Texts& t) {
  std::string out;
  if (run.test) out += evaluation_tile({t.tile_test, t.tile_test_map, t.tile_test_loss}, *run.test, t);
  if (run.val)
    out += evaluation_tile({t.tile_val, t.tile_val_map, t.tile_val_loss}, *run.val, t);
  else if (run.best && run.best->val_map)
    out += tile(t.tile_val_map, percent(run.best->val_map, t), "");
  else if (run.best && distill_of(run).is_object() && run.best->val_loss)
    out += tile(t.tile_val_loss, short_number(run.best->val_loss, t), "");
  else if (run.best)
    out += top1_tile(t.tile_val, run.best->val_top1, run.best->val_top1_interval, t);
  if (run.best)
    out += tile(
        t.tile_best, fixed(run.best->epoch, 0),
        fill(t.tile_by, {run.metric.empty() ? t.unknown : escape(run.metric), grouped(run.epochs_done, t)}));
  if (run.seconds)
    out += tile(t.tile_time, duration(*run.seconds, t), fill(t.tile_steps, {grouped(run.steps_done, t)}));
  if (run.images_per_second)
    out += tile(t.tile_speed, short_number(run.images_per_second, t), t.tile_speed_note);
  if (run.peak_memory_bytes)
    out += tile(t.tile_memory, size_in_bytes(*run.peak_memory_bytes, t), t.tile_memory_note);
  return out.empty() ? "" : "<dl class=tiles>" + out + "</dl>\n";
}

std::vector<Point> points_of(const std::vector<EpochLine>& epochs, Figure EpochLine::*figure) {
  std::vector<Point> points;
  for (const EpochLine& line : epochs)
    if (const Figure& value = line.*figure) points.push_back({line.epoch, *value});
  return points;
}

std::vector<Point> points_of(const std::vector<StepLine>& steps, Figure StepLine::*figure) {
  std::vector<Point> points;
  for (const StepLine& line : steps)
    if (const Figure& value = line.*figure) points.push_back({line.at, *value});
  std::ranges::stable_sort(points, {}, &Point::x);
  return points;
}

/// By step, where the log has enough of them, or else by epoch.
Line finest_line(const RunRecord& run, Figure StepLine::*of_step, Figure EpochLine::*of_epoch,
                 const Texts& t) {
  std::vector<Point> steps = points_of(run.steps, of_step);
  if (steps.size() > run.epochs.size()) return {"only", t.line_each_step, std::move(steps)};
  return {"only", t.line_each_epoch, points_of(run.epochs, of_epoch)};
}

/// Whether the run trained on mixtures of pictures.
bool is_mixed(const RunRecord& run) {
  const Json& augment = find_member(find_member(run.config, "training"), "augment");
  return find_number(augment, "mixup_alpha").value_or(0) > 0 ||
         find_number(augment, "cutmix_alpha").value_or(0) > 0;
}

/// A head that was fitted to features all at once: no epochs, no curves, no optimiser.
bool is_probe(const RunRecord& run) {
  const Json& transfer = find_member(run.config, "transfer");
  return transfer.is_object() && !transfer.contains("phases");
}

std::string curves(const RunRecord& run, const Texts& t) {
  if (is_probe(run)) return "";
  const Figure best = run.best ? Figure(run.best->epoch) : std::nullopt;
  Chart loss{.title = t.chart_loss,
             .lines = {{"steps", t.line_steps, points_of(run.steps, &StepLine::loss)},
                       {"train", t.line_train, points_of(run.epochs, &EpochLine::train_loss)},
                       {"val", t.line_val, points_of(run.epochs, &EpochLine::val_loss)}},
             .band = {},
             .band_name = "",
             .mark = best,
             .mark_name = t.line_best,
             .may_be_log = true};
  Chart top1{.title = t.chart_top1,
             .lines = {{"train", t.line_train, points_of(run.epochs, &EpochLine::train_top1)},
                       {"val", t.line_val, points_of(run.epochs, &EpochLine::val_top1)}},
             .band = {},
             .band_name = t.line_interval,
             .mark = best,
             .mark_name = t.line_best,
             .are_proportions = true};
  for (const EpochLine& line : run.epochs)
    if (line.val_top1_interval) top1.band.push_back({line.epoch, *line.val_top1_interval});

  Chart map{.title = t.chart_map,
            .lines = {{"val", t.line_val, points_of(run.epochs, &EpochLine::val_map)}},
            .band = {},
            .band_name = "",
            .mark = best,
            .mark_name = t.line_best,
            .are_proportions = true};
  const bool has_map = !map.lines.front().points.empty();

  std::string out = draw(loss, t) + (has_map ? draw(map, t) : "") + draw(top1, t);
  const auto draw_finest = [&](const char* title, Figure StepLine::*of_step, Figure EpochLine::*of_epoch,
                               bool log, bool zero) {
    Chart chart;
    chart.title = title;
    chart.lines = {finest_line(run, of_step, of_epoch, t)};
    chart.may_be_log = log;
    chart.has_zero = zero;
    out += draw(chart, t);
  };
  draw_finest(t.chart_lr, &StepLine::lr, &EpochLine::lr, false, true);
  draw_finest(t.chart_grad_norm, &StepLine::grad_norm, &EpochLine::grad_norm, true, false);
  // Phases whose frozen part is kept are many times as fast as the others.
  draw_finest(t.chart_speed, &StepLine::images_per_second, &EpochLine::images_per_second, true, true);
  if (out.empty()) return text("<p>", t.no_epochs, "</p>\n");
  out = text("<h2>", t.curves, "</h2><div class=charts>\n", out, "</div><p>", t.curves_note,
             "<span class=screen>", t.charts_use, "</span>", is_mixed(run) ? t.mixed_note : "",
             has_map ? t.several_note : "", "</p>\n");
  if (!run.epochs.empty())
    out += text("<details><summary>", t.epochs_summary, "</summary>", epoch_table(run.epochs, t),
                "</details>\n");
  return out;
}

/// What always naming the largest class would reach.
Figure baseline(const EvaluationRecord& evaluation) {
  double all = 0, largest = 0;
  for (const ClassRecord& each : evaluation.classes) {
    all += static_cast<double>(each.n);
    largest = std::max(largest, static_cast<double>(each.n));
  }
  return all > 0 ? Figure(largest / all) : std::nullopt;
}

std::string evaluation_section(const EvaluationRecord& evaluation, const Predictions& predictions,
                               std::string_view split, const std::vector<std::string>& names,
                               const char* heading, const Texts& t) {
  if (evaluation.only_loss())
    return text("<section><h2>", fill(heading, {grouped(evaluation.n, t)}), "</h2><p>",
                fill(t.evaluation_only_loss, {short_number(evaluation.loss, t)}), ".</p>\n</section>\n");
  const bool multi_label = evaluation.multi_label;
  std::string sentence =
      multi_label ? fill(t.evaluation_multi_label,
                         {percent(evaluation.mean_average_precision, t), percent(evaluation.micro_f1, t),
                          percent(evaluation.exact_match, t), percent(evaluation.top1, t)})
                  : fill(t.evaluation_top1, {percent(evaluation.top1, t)});
  if (evaluation.top1_interval)
    sentence += fill(t.evaluation_interval, {percent(*evaluation.top1_interval, t)});
  if (evaluation.top5) sentence += fill(t.evaluation_top5, {percent(evaluation.top5, t)});
  if (evaluation.loss) sentence += fill(t.evaluation_loss, {short_number(evaluation.loss, t)});
  sentence +=
      fill(t.evaluation_macro, {percent(evaluation.macro_recall, t), percent(evaluation.macro_precision, t),
                                percent(evaluation.macro_f1, t)});
  if (const Figure part = multi_label ? std::nullopt : baseline(evaluation))
    sentence += fill(t.evaluation_baseline, {percent(part, t)});
  std::string out =
      text("<section><h2>", fill(heading, {grouped(evaluation.n, t)}), "</h2><p>", sentence, ".</p>\n");
  if (evaluation.classes.size() > most_matrix_classes && !multi_label)
    out += text("<p>",
                fill(t.confusion_too_large, {grouped(static_cast<std::int64_t>(evaluation.classes.size()), t),
                                             grouped(most_matrix_classes, t)}),
                "</p>\n");
  out += text(confusion_table(evaluation, split, !predictions.shown.empty(), t), "<div class=side>\n",
              confused_pairs_table(evaluation, t), class_table(evaluation, t), "</div>\n",
              worst_losses(predictions, split, names, t), sureness(predictions, t));
  return out + "</section>\n";
}

/// A value of config.json in words, and never much longer than a fact may be: {"kind": "adam", "eps": 1e-8}
/// is "adam: eps 1e-8". What is empty is left out.
void describe(const Json& value, std::string& out, bool is_inner = false) {
  if (value.is_string()) {
    out += value.get_ref<const std::string&>();
  } else if (value.is_object()) {
    if (is_inner) out += "(";
    std::string_view between = "";
    for (const char* key : {"kind", "curve"})
      if (const std::string name = find_text(value, key); !name.empty()) out += name, between = ": ";
    for (const auto& [key, member] : value.items()) {
      if (key == "kind" || key == "curve" || member.empty()) continue;
      if (out.size() > 4 * most_text) return;
      out += text(between, key, " ");
      describe(member, out, true);
      between = ", ";
    }
    if (is_inner) out += ")";
  } else if (value.is_array()) {
    if (is_inner) out += "[";
    std::string_view between = "";
    for (const Json& member : value) {
      if (out.size() > 4 * most_text) return;
      out += between;
      describe(member, out, true);
      between = ", ";
    }
    if (is_inner) out += "]";
  } else if (!value.is_null()) {
    out += value.dump();
  }
}

std::string describe(const Json& value) {
  std::string out;
  describe(value, out);
  return escape(out, most_text);
}

/// A table of facts: what is empty is left out.
class Facts {
 public:
  explicit Facts(const char* heading) : heading_(heading) {}
  Facts& add(const char* label, const std::string& html) {
    if (!html.empty()) rows_ += text("<tr><th scope=row>", label, "<td>", html);
    return *this;
  }
  Facts& add(const char* label, const Json& from, const char* key) {
    return add(label, describe(find_member(from, key)));
  }
  std::string take() const {
    return rows_.empty()
               ? ""
               : text("<table class=facts><caption>", heading_, "</caption><tbody>", rows_, "</table>\n");
  }

 private:
  const char* heading_;
  std::string rows_;
};

std::string class_names(const RunRecord& run, const Texts& t) {
  if (run.classes.empty() || !gives_classes(run)) return "";
  std::string out = text("<b>", grouped(static_cast<std::int64_t>(run.classes.size()), t), "</b>: ");
  const std::size_t shown = std::min(run.classes.size(), most_class_names);
  for (std::size_t i = 0; i < shown; ++i) out += (i ? ", " : "") + escape(run.classes[i], 40);
  if (shown < run.classes.size())
    out += fill(t.fact_more, {grouped(static_cast<std::int64_t>(run.classes.size() - shown), t)});
  return out;
}

std::string pictures_of(const RunRecord& run, const char* split, const Texts& t) {
  const Json& record = find_member(find_member(run.config, "splits"), split);
  if (!record.is_object()) return t.fact_none;
  return fill(t.fact_digest,
              {grouped(find_count(record, "pictures"), t), escape(find_text(record, "digest"), 32)});
}

/// Without what is switched off, so that the changes that were made stand out.
Json augment_in_use(const Json& augment) {
  if (!augment.is_object()) return augment;
  Json used = Json::object();
  const bool has_policy = find_text(augment, "policy") == "rand_augment";
  for (const auto& [key, value] : augment.items()) {
    const bool is_off = value == 0 || value == "none" || (key == "min_area" && value == 1);
    if (!is_off && (has_policy || !key.starts_with("rand_"))) used[key] = value;
  }
  return used;
}

std::string data_facts(const RunRecord& run, const Texts& t) {
  const Json& config = run.config;
  const Json& training = find_member(config, "training");
  const Figure val = find_number(config, "val_fraction"), test = find_number(config, "test_fraction");
  Facts facts(t.facts_data);
  facts.add(t.fact_path, config, "data")
      .add(t.fact_classes, class_names(run, t))
      .add(t.fact_train, pictures_of(run, "train", t))
      .add(t.fact_val, pictures_of(run, "val", t))
      .add(t.fact_test, pictures_of(run, "test", t));
  if (val || test)
    facts.add(t.fact_held_back, fill(t.fact_held_back_value, {percent(val, t, 0), percent(test, t, 0),
                                                              describe(find_member(config, "split_seed"))}));
  const Json& augmented = find_member(training, "augment");
  std::string augment = describe(augment_in_use(augmented));
  if (augment.empty() && augmented.is_object()) augment = t.fact_none;
  return facts.add(t.fact_preprocess, training, "preprocess").add(t.fact_augment, augment).take();
}

/// Without the range test, which has a chart.
Json without_curves(Json transfer) {
  if (transfer.is_object()) transfer.erase("lr_range");
  return transfer;
}

std::string training_facts(const RunRecord& run, const Texts& t) {
  const Json& config = run.config;
  const Json& training = find_member(config, "training");
  Facts facts(t.facts_training);
  const std::string weights = find_text(config, "weights");
  facts.add(t.fact_net, config, "net")
      .add(t.fact_input, config, "image")
      .add(t.fact_weights, escape(weights.empty() ? find_text(config, "init") : weights, most_text))
      .add(t.fact_freeze, config, "freeze")
      .add(t.fact_transfer, describe(without_curves(find_member(config, "transfer"))))
      .add(t.fact_distill, describe(distill_of(run)));
  if (is_probe(run)) return facts.add(t.fact_seed, training, "seed").take();
  facts.add(t.fact_epochs, training, "epochs")
      .add(t.fact_batch, training, "batch")
      .add(t.fact_loss, training, "loss")
      .add(t.fact_optimizer, training, "optimizer")
      .add(t.fact_schedule, training, "schedule")
      .add(t.fact_penalty, training, "penalty");
  if (const Figure clip = find_number(training, "clip_norm"); clip && *clip > 0)
    facts.add(t.fact_clip, short_number(clip, t));
  if (!run.metric.empty()) {
    const std::int64_t patience = find_count(training, "patience");
    facts.add(t.fact_stop,
              patience > 0 ? fill(t.fact_stop_value, {escape(run.metric), grouped(patience, t),
                                                      short_number(find_number(training, "min_delta"), t)})
                           : fill(t.fact_stop_never, {escape(run.metric)}));
  }
  return facts.add(t.fact_seed, training, "seed").take();
}

/// How long a list of doctor.json is.
std::int64_t count_listed(const RunRecord& run, const char* key) {
  if (!run.doctor.is_object()) return 0;
  const Json& list = find_member(run.doctor, key);
  return list.is_array() ? static_cast<std::int64_t>(list.size()) : 0;
}

std::string pictures_section(const RunRecord& run, const Texts& t) {
  const Json& doctor = run.doctor;
  if (!doctor.is_object()) return "";
  const Figure seconds = find_number(doctor, "seconds");
  std::string sentence =
      fill(t.pictures_looked_at, {grouped(find_count(doctor, "pictures"), t),
                                  seconds && *seconds >= 0 ? duration(*seconds, t) : t.unknown});
  const std::int64_t left_out = count_listed(run, "left_out"), shared = count_listed(run, "shared");
  if (left_out)
    sentence +=
        fill(t.pictures_left_out, {grouped(left_out, t), grouped(find_count(doctor, "unreadable"), t)});
  if (shared) sentence += fill(t.pictures_shared, {grouped(shared, t)});
  if (!left_out && !shared) sentence += t.pictures_sound;
  return text("<section><h2>", t.pictures_heading, "</h2><p>", sentence, "</p>\n", shared_table(doctor, t),
              left_out_table(doctor, t), "</section>\n");
}

std::string link_to(const RunRecord& run, const char* name) {
  std::error_code code;
  if (!fs::exists(run.folder / name, code)) return "";
  return text("<a href=\"", name, "\">", name, "</a>");
}

std::string machine_facts(const RunRecord& run, const Texts& t) {
  const Json& config = run.config;
  return Facts(t.facts_machine)
      .add(t.fact_chip, config, "chip")
      .add(t.fact_threads, config, "threads")
      .add(t.fact_workers, find_member(config, "training"), "workers")
      .add(t.fact_version, config, "version")
      .add(t.fact_folder, escape(absolute_folder(run), most_text))
      .add(t.fact_model, link_to(run, "model.safetensors"))
      .add(t.fact_config, link_to(run, "config.json"))
      .add(t.fact_log, link_to(run, "log.jsonl"))
      .take();
}

std::string commands(const RunRecord& run, const Texts& t) {
  std::string out;
  const auto add = [&](const char* heading, const std::string& command) {
    out += text("<h3>", heading, "</h3><pre><code>", escape(command, 4000), "</code></pre>\n");
  };
  if (can_go_on(run)) add(t.resume, resume_command(run));
  std::error_code code;
  if (!fs::exists(run.folder / "model.safetensors", code)) return out;
  if (distill_of(run).is_object())
    add(t.fit_on_it, text("enxerto fit ", t.fit_data, " --weights ", shell_word(absolute_folder(run))));
  if (gives_classes(run))
    add(t.predict, text("enxerto predict ", shell_word(absolute_folder(run)), " ", t.predict_files));
  return out;
}

std::string make_body(const RunRecord& run, const Texts& t) {
  std::ostringstream page;
  page << "<header><h1>" << escape(title_of(run, t), 200) << "</h1><p class=\"outcome "
       << name_of(run.outcome) << "\" role=status>" << escape(outcome_of(run, t), 800) << "</p>";
  if (run.unread_lines > 0) page << "<p>" << fill(t.unread_lines, {grouped(run.unread_lines, t)}) << "</p>";
  page << "</header>\n<main><section aria-label=\"" << t.results << "\">" << tiles(run, t) << "</section>\n"
       << asked_section(run, t) << "<section>" << curves(run, t) << "</section>\n"
       << layers_section(run, t);
  const bool shares = count_listed(run, "shared") > 0;
  if (run.test)
    page << evaluation_section(*run.test, run.test_predictions, "test", run.classes,
                               shares ? t.section_test_shared : t.section_test, t);
  if (run.val)
    page << evaluation_section(*run.val, run.val_predictions, "val", run.classes, t.section_val, t);
  page << transfer_section(run, t) << pictures_section(run, t);
  page << "<section><h2>" << t.how << "</h2>" << commands(run, t) << data_facts(run, t)
       << training_facts(run, t) << machine_facts(run, t) << "</section></main>\n<footer><p>" << t.made_by
       << "</p></footer>";
  return page.str();
}

}  // namespace

std::vector<Texts> languages_of(std::string_view language) {
  if (language.empty()) return {english, portuguese};
  for (const Texts& each : {english, portuguese})
    if (language == each.language) return {each};
  throw Error(ErrorKind::usage, text("the language \"", language, "\" is not known; choose en or pt"));
}

std::string frame_page(const std::vector<Body>& bodies, const std::string& pictures, const PageParts& more) {
  std::ostringstream page;
  // The policy holds the page to what it says: nothing is fetched, whatever a name in it tries.
  page << "<!doctype html>\n<html lang=" << bodies.front().t.language << "><head><meta charset=utf-8>"
       << "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; "
          "script-src 'unsafe-inline'; img-src data:\">"
       << "<meta name=viewport content=\"width=device-width,initial-scale=1\"><title>" << bodies.front().title
       << "</title><style>" << style() << more.style << "</style></head>\n<body>\n";
  for (const Body& body : bodies) {
    page << "<div class=language lang=" << body.t.language << (&body == &bodies.front() ? ">" : " hidden>");
    if (bodies.size() > 1)
      page << "<button type=button class=switch hidden lang=" << body.t.other_language_code
           << " data-to=" << body.t.other_language_code << ">" << body.t.other_language << "</button>";
    page << body.html << "</div>\n";
  }
  page << "<script type=application/json id=pictures>" << pictures << "</script>\n<script>" << uplot_script
       << "</script>\n<script>" << page_script << "</script>" << more.end << "</body></html>\n";
  return page.str();
}

std::string make_page(const RunRecord& run, const std::vector<Texts>& languages) {
  std::vector<Body> bodies;
  for (const Texts& t : languages) bodies.push_back({t, escape(title_of(run, t), 200), make_body(run, t)});
  return frame_page(bodies, data_of_pictures(run));
}

}  // namespace enxerto
