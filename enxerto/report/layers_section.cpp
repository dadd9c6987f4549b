#include "enxerto/report/layers_section.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"

namespace enxerto {
namespace {

constexpr std::size_t most_rows = 120, most_columns = 20;

std::string sentence_of(const FaultRecord& fault, const Texts& t) {
  const char* pattern = fault.kind == "equal"       ? t.fault_equal
                        : fault.kind == "dead"      ? t.fault_dead
                        : fault.kind == "vanishing" ? t.fault_vanishing
                                                    : t.fault_exploding;
  return text(
      "<p class=fault role=note>",
      fill(pattern, {escape(fault.layer, 80), grouped(std::max<std::int64_t>(fault.layers - 1, 0), t)}),
      fill(t.fault_since, {fixed(fault.epoch, 0)}), "</p>\n");
}

/// How far a norm is from the usual: "s1" to "s3" below 1e-4, 1e-5 and 1e-6, "l1" to "l3" from 10, 100 and
/// 1000 on.
std::string shade_of(double norm) {
  if (norm <= 0) return "s3";
  const double power = std::log10(norm);
  if (power < -4) return text("s", std::clamp(static_cast<int>(std::floor(-power)) - 3, 1, 3));
  if (power >= 1) return text("l", std::clamp(static_cast<int>(std::floor(power + 1e-12)), 1, 3));
  return "";
}

std::string norm_cell(const LayersLine& line, const std::string& name, const Texts& t) {
  const auto layer = std::ranges::find(line.layers, name, &LayerRecord::name);
  if (layer == line.layers.end()) return "<td>";
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(),
                layer->grad_norm >= 0.001 && layer->grad_norm < 1000 ? "%.2g" : "%.0e", layer->grad_norm);
  const std::string shade = shade_of(layer->grad_norm);
  return text("<td", shade.empty() ? "" : " class=" + shade, ">",
              layer->grad_norm > 0 ? localized(buffer.data(), t) : "0");
}

std::string count_cell(std::int64_t count, std::int64_t of, const Texts& t) {
  if (of == 0) return text("<td>", no_figure);
  return text("<td", count > 0 ? " class=some" : "", ">",
              fill(t.part_of, {grouped(count, t), grouped(of, t)}));
}

/// At most `most` of them, evenly spaced, the last among them.
std::vector<const LayersLine*> spaced(const std::vector<LayersLine>& lines, std::size_t most) {
  const std::size_t count = std::min(lines.size(), most);
  std::vector<const LayersLine*> chosen;
  for (std::size_t i = 1; i <= count; ++i) chosen.push_back(&lines[i * lines.size() / count - 1]);
  return chosen;
}

}  // namespace

std::string layers_section(const RunRecord& run, const Texts& t) {
  if (run.layers.empty()) return "";
  // All that ever learnt, in the order of the epoch that has most of them.
  const LayersLine& fullest =
      *std::ranges::max_element(run.layers, {}, [](const LayersLine& line) { return line.layers.size(); });
  const std::size_t rows = std::min(fullest.layers.size(), most_rows);
  const auto columns = spaced(run.layers, most_columns);
  std::string caption = t.layers_caption;
  const auto count = [&](std::size_t n) { return grouped(static_cast<std::int64_t>(n), t); };
  if (rows < fullest.layers.size() || columns.size() < run.layers.size())
    caption += fill(t.layers_cut, {count(rows), count(fullest.layers.size()), count(columns.size()),
                                   count(run.layers.size())});
  std::string out = text("<section><h2>", t.layers_heading, "</h2>\n");
  for (const FaultRecord& fault : run.faults) out += sentence_of(fault, t);
  if (run.faults.empty()) out += text("<p>", t.layers_sound, "</p>\n");
  out +=
      text("<div class=scroll tabindex=0 role=region aria-label=\"", t.layers_heading,
           "\"><table class=norms><caption>", caption, "</caption><thead><tr><th scope=col>", t.column_layer);
  for (const LayersLine* line : columns) out += text("<th scope=col>", fixed(line->epoch, 0));
  out += text("<th scope=col>", t.column_copies, "<th scope=col>", t.column_still, "<tbody>");
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string& name = fullest.layers[i].name;
    out += text("<tr><th scope=row>", escape(name, 60));
    for (const LayersLine* line : columns) out += norm_cell(*line, name, t);
    const auto last = std::ranges::find(run.layers.back().layers, name, &LayerRecord::name);
    const LayerRecord& layer = last == run.layers.back().layers.end() ? fullest.layers[i] : *last;
    out += count_cell(layer.equal, layer.filters, t) + count_cell(layer.still, layer.filters, t);
  }
  return out + "</table></div></section>\n";
}

}  // namespace enxerto
