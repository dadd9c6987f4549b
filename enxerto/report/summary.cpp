#include "enxerto/report/summary.h"

#include <algorithm>

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

/// Rows of two columns; a row without a label goes on with the one above.
class Rows {
 public:
  void add(const std::string& label, const std::string& content) {
    if (content.empty()) return;
    out_ += "  " + label + std::string(label.size() < width ? width - label.size() : 1, ' ') + content + "\n";
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr std::size_t width = 12;
  std::string out_;
};

std::string describe(const EvaluationRecord& evaluation, const Texts& t) {
  if (evaluation.only_loss())
    return text(t.loss, " ", short_number(evaluation.loss, t), ", ",
                fill(t.pictures, {grouped(evaluation.n, t)}));
  std::string out = text(percent(evaluation.top1, t), " ", t.top1);
  if (evaluation.multi_label)
    out = fill(t.summary_multi_label,
               {percent(evaluation.mean_average_precision, t), percent(evaluation.micro_f1, t),
                percent(evaluation.macro_f1, t), percent(evaluation.exact_match, t)});
  else if (evaluation.top1_interval)
    out += fill(t.summary_interval, {percent(*evaluation.top1_interval, t)});
  if (evaluation.top5 && !evaluation.multi_label) out += text(", ", percent(evaluation.top5, t), " ", t.top5);
  out += ", " + fill(t.pictures, {grouped(evaluation.n, t)});
  if (evaluation.loss) out += text(", ", t.loss, " ", short_number(evaluation.loss, t));
  return out;
}

std::string describe(const EvaluationRecord& evaluation, const WeakClass& weak, const Texts& t) {
  const ClassRecord& row = evaluation.classes[weak.index];
  std::string out = fill(t.summary_weak, {clean(row.name, 40), percent(weak.recall, t), grouped(row.n, t)});
  if (row.average_precision) out += fill(t.summary_average_precision, {percent(row.average_precision, t)});
  if (weak.taken_for != weak.index)
    out += fill(t.summary_taken_for, {clean(evaluation.classes[weak.taken_for].name, 40)});
  return out;
}

}  // namespace

bool can_go_on(const RunRecord& run) { return run.outcome == Outcome::interrupted; }

std::string absolute_folder(const RunRecord& run) {
  std::error_code code;
  const fs::path path = fs::absolute(run.folder, code);
  return (code ? run.folder : path.lexically_normal()).string();
}

std::string resume_command(const RunRecord& run) {
  const char* verb = distill_of(run).is_object()                       ? "distill"
                     : find_member(run.config, "transfer").is_object() ? "fit"
                                                                       : "train";
  return text("enxerto ", verb, " --resume ", shell_word(absolute_folder(run)));
}

std::string shell_word(std::string_view word) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string title_of(const RunRecord& run, const Texts& t) {
  const auto or_unknown = [&](const std::string& name) { return name.empty() ? t.unknown : clean(name); };
  const fs::path data = find_text(run.config, "data");
  // A network of others has the name of its file.
  std::string net = find_text(run.config, "net");
  if (net.empty()) net = fs::path(find_text(run.config, "weights")).stem().string();
  return fill(t.title, {or_unknown(net),
                        or_unknown((data.has_filename() ? data : data.parent_path()).filename().string())});
}

std::string outcome_of(const RunRecord& run, const Texts& t) {
  const std::string epochs = grouped(run.epochs_done, t);
  const std::string planned = grouped(find_count(find_member(run.config, "training"), "epochs"), t);
  switch (run.outcome) {
    case Outcome::finished:
      return fill(t.finished, {epochs, planned});
    case Outcome::stopped_early:
      return fill(t.stopped_early, {epochs, planned});
    case Outcome::diverged:
      return text(fill(t.diverged, {epochs, planned}), " ", t.try_lower_rate,
                  run.message.empty() ? "" : fill(t.diverged_message, {clean(run.message, 400)}));
    case Outcome::running:
      return fill(t.running, {epochs, planned});
    case Outcome::interrupted:
      return fill(t.interrupted, {epochs, planned, duration(static_cast<double>(run.seconds_quiet), t)});
  }
  return "";
}

std::vector<WeakClass> find_weak_classes(const EvaluationRecord& evaluation, std::size_t most) {
  std::vector<WeakClass> weak;
  for (std::size_t i = 0; i < evaluation.classes.size(); ++i)
    if (const Figure recall = evaluation.classes[i].recall; recall && *recall < 1)
      weak.push_back({.index = i, .recall = *recall, .taken_for = i});
  std::ranges::stable_sort(weak, {}, &WeakClass::recall);
  if (weak.size() > most) weak.resize(most);
  if (evaluation.confusion.empty()) return weak;
  for (WeakClass& each : weak) {
    std::int64_t largest = 0;
    for (std::size_t k = 0; k < evaluation.classes.size(); ++k)
      if (const std::int64_t count = evaluation.count(each.index, k); k != each.index && count > largest)
        each.taken_for = k, largest = count;
  }
  return weak;
}

std::string summarize_run(const RunRecord& run, const Texts& t) {
  Rows rows;
  rows.add(t.outcome, outcome_of(run, t));
  if (run.unread_lines > 0) rows.add("", fill(t.unread_lines, {grouped(run.unread_lines, t)}));
  const auto pictures = [&](const char* split) {
    return grouped(find_count(find_member(find_member(run.config, "splits"), split), "pictures"), t);
  };
  if (const std::string teacher = find_text(distill_of(run), "teacher"); !teacher.empty())
    rows.add(t.teacher, clean(teacher, 4096));
  rows.add(t.data, fill(gives_classes(run) ? t.summary_data : t.summary_data_features,
                        {grouped(static_cast<std::int64_t>(run.classes.size()), t), pictures("train"),
                         pictures("val"), pictures("test")}));
  if (run.best) {
    std::string best = fixed(run.best->epoch, 0);
    if (!run.metric.empty()) best += fill(t.summary_by, {clean(run.metric)});
    rows.add(t.best_epoch, best);
  }
  if (run.test) rows.add(t.test, describe(*run.test, t));
  if (run.val) {
    rows.add(t.val, describe(*run.val, t));
  } else if (run.best && run.best->val_top1) {
    const auto& interval = run.best->val_top1_interval;
    rows.add(t.val, text(percent(run.best->val_top1, t), " ", t.top1,
                         interval ? fill(t.summary_interval, {percent(*interval, t)}) : ""));
  } else if (run.best && run.best->val_loss) {
    rows.add(t.val, text(t.loss, " ", short_number(run.best->val_loss, t)));
  }
  if (const auto& judged = run.test ? run.test : run.val) {
    std::string label = t.weakest;
    for (const WeakClass& weak : find_weak_classes(*judged, 3)) {
      rows.add(label, describe(*judged, weak, t));
      label.clear();
    }
  }
  if (run.seconds) {
    std::string time = duration(*run.seconds, t);
    if (run.images_per_second)
      time += ", " + short_number(run.images_per_second, t) + " " + t.images_per_second;
    if (const std::string chip = find_text(run.config, "chip"); !chip.empty())
      time += fill(t.summary_chip, {clean(chip), grouped(find_count(run.config, "threads"), t)});
    rows.add(t.time, time);
  }
  if (run.peak_memory_bytes)
    rows.add(t.memory, fill(t.summary_memory, {size_in_bytes(*run.peak_memory_bytes, t)}));
  std::string label = t.files;
  const auto add_file = [&](const char* name, const char* what) {
    std::error_code code;
    if (!fs::exists(run.folder / name, code)) return;
    rows.add(label, clean((run.folder / name).string(), 4096) + "  " + what);
    label.clear();
  };
  add_file("model.safetensors", t.file_model);
  add_file("report.html", t.file_report);
  if (can_go_on(run)) rows.add(t.go_on, clean(resume_command(run), 4096));
  return title_of(run, t) + "\n" + rows.take();
}

}  // namespace enxerto
