#include "enxerto/report/asked_section.h"

#include <algorithm>

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_choices = 50, most_phases = 20, most_path = 300;

std::string phases_of(const Json& transfer, const Texts& t) {
  std::string out;
  const Json& phases = find_member(transfer, "phases");
  if (!phases.is_array() || phases.size() < 2) return out;
  for (std::size_t i = 1; i < std::min(phases.size(), most_phases); ++i) {
    const std::string epoch = grouped(find_count(phases[i], "first_epoch"), t);
    const std::string through = find_text(phases[i], "frozen_through");
    out += through.empty() ? fill(t.asked_phase_all, {epoch})
                           : fill(t.asked_phase, {epoch, escape(through, 60)});
  }
  return out;
}

/// In words, by verb and recipe.
std::string what_was_done(const RunRecord& run, const Texts& t) {
  const Json& transfer = find_member(run.config, "transfer");
  if (const std::string teacher = find_text(distill_of(run), "teacher"); !teacher.empty())
    return fill(t.asked_distill, {"<code>" + escape(teacher, most_path) + "</code>"});
  if (!transfer.is_object()) {
    const std::string weights = find_text(run.config, "weights");
    return weights.empty() ? t.asked_train
                           : fill(t.asked_train_weights, {"<code>" + escape(weights, most_path) + "</code>"});
  }
  const std::string recipe = find_text(transfer, "recipe"), head = escape(find_text(transfer, "head"));
  std::string out;
  for (const auto& [name, pattern] :
       {std::pair{"probe", t.asked_probe}, std::pair{"warmup+finetune", t.asked_warmup},
        std::pair{"finetune", t.asked_finetune}, std::pair{"scratch", t.asked_scratch}})
    if (recipe == name) out = fill(pattern, {head.empty() ? t.unknown : head});
  if (const std::string cut = find_text(transfer, "cut"); !cut.empty())
    out += fill(t.asked_cut, {escape(cut, 60)});
  return out + phases_of(transfer, t);
}

std::string auto_sentence(const Json& chosen, const Texts& t) {
  const Json &probe = find_member(chosen, "probe"), &advised = find_member(chosen, "advised");
  if (!probe.is_object()) return "";
  const std::string first = percent(find_number(probe, "val_top1"), t);
  if (!advised.is_object()) return fill(t.transfer_auto_probe, {first});
  const Json& kept = find_text(chosen, "chosen") == "advised" ? advised : probe;
  return fill(t.transfer_auto,
              {first, escape(find_text(advised, "recipe")), percent(find_number(advised, "val_top1"), t),
               escape(find_text(kept, "recipe"))});
}

std::string choices_table(const Json& advice, const Texts& t) {
  const Json& choices = find_member(advice, "choices");
  if (!choices.is_array() || choices.empty()) return "";
  std::string out =
      text("<div class=scroll><table><caption>", t.choices_caption, "</caption><thead><tr><th scope=col>",
           t.column_recipe, "<th scope=col>", t.column_cut, "<th scope=col>", t.column_top1, "<th scope=col>",
           t.column_gain, "<th scope=col>", t.column_minutes, "<tbody>");
  for (std::size_t i = 0; i < std::min(choices.size(), most_choices); ++i) {
    const Json& row = choices[i];
    out += text("<tr><th scope=row>", escape(find_text(row, "recipe")), "<td class=name>",
                escape(find_text(row, "cut"), 60), "<td>", percent(find_number(row, "top1"), t), "<td>",
                fill(t.gain_value,
                     {percent(find_number(row, "gain"), t), percent(find_number(row, "gain_error"), t)}),
                "<td>", short_number(find_number(row, "minutes"), t));
  }
  return out + "</table></div>\n";
}

std::string estimates(const RunRecord& run, const Json& chosen, const Texts& t) {
  std::string out;
  const Figure expected = find_number(chosen, "expected_seconds");
  if (expected && *expected > 0 && *expected < 1e12 && run.seconds)
    out += fill(t.estimate_time, {duration(*run.seconds, t), duration(*expected, t)}) + " ";
  if (run.planned_bytes && run.peak_memory_bytes)
    out += fill(t.estimate_memory,
                {size_in_bytes(*run.peak_memory_bytes, t), size_in_bytes(*run.planned_bytes, t)});
  return out.empty() ? "" : text("<h3>", t.estimate_heading, "</h3><p>", out, "</p>\n");
}

}  // namespace

std::string asked_section(const RunRecord& run, const Texts& t) {
  const Json& chosen = find_member(run.transfer, "auto");
  const std::string command = find_text(run.config, "command");
  return text("<section><h2>", t.asked_heading, "</h2>",
              command.empty() ? "" : text("<pre><code>", escape(command, 4000), "</code></pre>"), "<p>",
              what_was_done(run, t), auto_sentence(chosen, t), "</p>\n",
              choices_table(find_member(chosen, "advice"), t), estimates(run, chosen, t), "</section>\n");
}

}  // namespace enxerto
