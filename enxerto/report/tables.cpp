#include "enxerto/report/tables.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"
#include "enxerto/report/summary.h"

namespace enxerto {
namespace {

constexpr std::size_t most_pairs = 10, most_pairs_without_matrix = 30;
constexpr std::size_t most_class_rows = 400;
constexpr std::size_t most_epoch_rows = 200;
constexpr std::size_t most_picture_rows = 200, most_path = 200;
constexpr std::size_t crowded_matrix = 16;  // classes from which the cells are small

std::string header(const std::vector<const char*>& columns) {
  std::string out = "<thead><tr>";
  for (const char* column : columns) out += text("<th scope=col>", column);
  return out + "<tbody>";
}

std::string cell(const std::string& content) { return "<td>" + content; }
std::string name_cell(const std::string& name) { return "<th scope=row>" + escape(name, 40); }

/// "r0" to "r10" on the diagonal and "w0" to "w10" beside it, in tenths rounded up: a single mistake shows.
std::string shade(std::int64_t count, std::int64_t of, bool is_right) {
  if (count == 0 || of == 0) return "";
  const double part = static_cast<double>(count) / static_cast<double>(of);
  return text(" class=", is_right ? "r" : "w",
              std::clamp(static_cast<int>(std::ceil(10 * part - 1e-9)), 1, 10));
}

struct Pair {
  std::size_t truth = 0, predicted = 0;
  std::int64_t count = 0;
};

std::vector<Pair> find_confused_pairs(const EvaluationRecord& evaluation, std::size_t most) {
  std::vector<Pair> pairs;
  if (evaluation.confusion.empty()) return pairs;
  for (std::size_t i = 0; i < evaluation.classes.size(); ++i)
    for (std::size_t k = 0; k < evaluation.classes.size(); ++k)
      if (i != k && evaluation.count(i, k) > 0) pairs.push_back({i, k, evaluation.count(i, k)});
  std::ranges::stable_sort(pairs, std::ranges::greater{}, &Pair::count);
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

}  // namespace

std::string confusion_table(const EvaluationRecord& evaluation, std::string_view split, bool has_pictures,
                            const Texts& t) {
  const std::size_t c = evaluation.classes.size();
  if (evaluation.confusion.empty() || c > most_matrix_classes) return "";
  const std::string shows = !has_pictures ? ""
                                          : text("\" data-split=\"", split, "\" data-pictures=\"",
                                                 t.cell_pictures, "\" data-loss=\"", t.picture_loss);
  std::string out =
      text("<div class=clickable><div class=scroll tabindex=0 role=region aria-label=\"", t.confusion, ": ",
           split == "test" ? t.compare_test : t.compare_val, "\"><table role=grid class=\"matrix",
           c > crowded_matrix ? " crowded" : "", shows, "\" data-cell=\"", t.confusion_cell, "\"><caption>",
           t.confusion_caption, "</caption><thead><tr><td class=corner>", t.confusion_corner);
  for (const ClassRecord& each : evaluation.classes)
    out += text("<th scope=col><span>", escape(each.name, 28), "</span>");
  out += "<tbody>";
  for (std::size_t i = 0; i < c; ++i) {
    std::int64_t of = 0;
    for (std::size_t k = 0; k < c; ++k) of += evaluation.count(i, k);
    out += "<tr><th scope=row>" + escape(evaluation.classes[i].name, 28);
    for (std::size_t k = 0; k < c; ++k) {
      const std::int64_t count = evaluation.count(i, k);
      out += text("<td", shade(count, of, i == k), ">", count);
    }
  }
  out += text("</table></div><p class=readout aria-live=polite>",
              has_pictures ? t.confusion_hint_pictures : t.confusion_hint, "</p><p class=scale>");
  for (const char* kind : {"r", "w"}) {
    out += text("<span>", *kind == 'r' ? t.scale_right : t.scale_wrong,
                "</span><span class=strip aria-hidden=true>");
    for (int level = 1; level <= 10; ++level) out += text("<i class=", kind, level, "></i>");
    out += "</span>";
  }
  return out + "</p><div class=gallery aria-live=polite></div></div>\n";
}

std::string confused_pairs_table(const EvaluationRecord& evaluation, const Texts& t) {
  const bool has_matrix = evaluation.classes.size() <= most_matrix_classes;
  const auto pairs = find_confused_pairs(evaluation, has_matrix ? most_pairs : most_pairs_without_matrix);
  if (pairs.empty()) return "";
  std::string out = text("<div class=scroll><table class=pairs><caption>", t.pairs_caption, "</caption>",
                         header({t.pairs_truth, t.pairs_predicted, t.pairs_count, t.pairs_part}));
  for (const Pair& pair : pairs) {
    const ClassRecord& truth = evaluation.classes[pair.truth];
    const Figure part =
        truth.n > 0 ? Figure(static_cast<double>(pair.count) / static_cast<double>(truth.n)) : std::nullopt;
    out += "<tr>" + name_cell(truth.name) + "<td class=name>" +
           escape(evaluation.classes[pair.predicted].name, 40) + cell(grouped(pair.count, t)) +
           cell(percent(part, t));
  }
  return out + "</table></div>\n";
}

std::string class_table(const EvaluationRecord& evaluation, const Texts& t) {
  const std::size_t c = evaluation.classes.size();
  if (c == 0) return "";
  std::vector<std::size_t> order(c);
  for (std::size_t i = 0; i < c; ++i) order[i] = i;
  // Classes without a picture have no recall and come last.
  const bool multi_label = evaluation.multi_label;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    const ClassRecord& row = evaluation.classes[i];
    return (multi_label ? row.average_precision : row.recall).value_or(2);
  });
  std::string caption = multi_label ? t.classes_multi_caption : t.classes_caption;
  if (c > most_class_rows) {
    order.resize(most_class_rows);
    caption += fill(t.classes_cut, {grouped(most_class_rows, t), grouped(static_cast<std::int64_t>(c), t)});
  }
  std::vector<const char*> columns = {t.column_class, t.column_pictures, t.column_recall, t.column_precision,
                                      t.column_f1};
  if (multi_label) columns.push_back(t.column_average_precision);
  std::string out =
      text("<div class=scroll><table class=sortable><caption>", caption, "</caption>", header(columns));
  for (const std::size_t i : order) {
    const ClassRecord& row = evaluation.classes[i];
    const std::string bar =
        row.recall ? text("<td class=bar style=\"--v:", fixed(100 * *row.recall, 0), "%\">") : "<td>";
    out += "<tr>" + name_cell(row.name) + cell(grouped(row.n, t)) + bar + percent(row.recall, t) +
           cell(percent(row.precision, t)) + cell(percent(row.f1, t)) +
           (multi_label ? cell(percent(row.average_precision, t)) : "");
  }
  return out + "</table></div>\n";
}

std::string epoch_table(const std::vector<EpochLine>& epochs, const Texts& t) {
  if (epochs.empty()) return "";
  const std::size_t stride = (epochs.size() + most_epoch_rows - 1) / most_epoch_rows;
  std::string caption = t.epochs_caption;
  if (stride > 1) caption += fill(t.epochs_cut, {grouped(static_cast<std::int64_t>(stride), t)});
  // Where another network is the target there are no classes to be right about.
  const bool has_top1 =
      std::ranges::any_of(epochs, [](const EpochLine& row) { return row.train_top1 || row.val_top1; });
  std::vector<const char*> columns = {t.column_epoch, t.column_train_loss, t.column_val_loss};
  if (has_top1) columns.insert(columns.end(), {t.column_train_top1, t.column_val_top1, t.column_interval});
  columns.insert(columns.end(), {t.column_lr, t.column_grad_norm, t.column_speed, t.column_time});
  std::string out = text("<div class=scroll><table><caption>", caption, "</caption>", header(columns));
  for (std::size_t i = 0; i < epochs.size(); i += stride) {
    const EpochLine& row = epochs[i];
    out += "<tr><th scope=row>" + fixed(row.epoch, 0) + cell(short_number(row.train_loss, t)) +
           cell(short_number(row.val_loss, t));
    if (has_top1)
      out += cell(percent(row.train_top1, t)) + cell(percent(row.val_top1, t)) +
             cell(row.val_top1_interval ? percent(*row.val_top1_interval, t) : no_figure);
    out += cell(short_number(row.lr, t)) + cell(short_number(row.grad_norm, t)) +
           cell(short_number(row.images_per_second, t)) +
           cell(row.seconds ? duration(*row.seconds, t) : no_figure);
  }
  return out + "</table></div>\n";
}

namespace {

/// The caption, with how many rows there are where not all are shown.
std::string cut_caption(const char* caption, std::size_t rows, const Texts& t) {
  if (rows <= most_picture_rows) return caption;
  return caption +
         fill(t.left_out_cut, {grouped(most_picture_rows, t), grouped(static_cast<std::int64_t>(rows), t)});
}

std::string text_cell(std::string_view content) { return "<td class=name>" + escape(content, most_path); }

}  // namespace

std::string left_out_table(const nlohmann::json& doctor, const Texts& t) {
  const nlohmann::json& list = find_member(doctor, "left_out");
  if (!list.is_array() || list.empty()) return "";
  std::string out =
      text("<div class=scroll><table class=words><caption>", cut_caption(t.left_out_caption, list.size(), t),
           "</caption>", header({t.column_file, t.column_split, t.column_reason}));
  for (std::size_t i = 0; i < std::min(list.size(), most_picture_rows); ++i)
    out += "<tr>" + text_cell(find_text(list[i], "file")) + text_cell(find_text(list[i], "split")) +
           text_cell(find_text(list[i], "reason"));
  return out + "</table></div>\n";
}

std::string shared_table(const nlohmann::json& doctor, const Texts& t) {
  const nlohmann::json& list = find_member(doctor, "shared");
  if (!list.is_array() || list.empty()) return "";
  std::string out =
      text("<div class=scroll><table class=words><caption>", cut_caption(t.shared_caption, list.size(), t),
           "</caption>", header({t.column_same}));
  for (std::size_t i = 0; i < std::min(list.size(), most_picture_rows); ++i) {
    std::vector<std::string> names;
    constexpr std::size_t most_names = 6;
    if (list[i].is_array())
      for (std::size_t k = 0; k < std::min(list[i].size(), most_names); ++k)
        if (list[i][k].is_string()) names.push_back(escape(list[i][k].get<std::string>(), most_path));
    out += "<tr><td class=name>" + join(names, " = ");
  }
  return out + "</table></div>\n";
}

}  // namespace enxerto
