#include "enxerto/graph/summary.h"

#include <algorithm>
#include <array>

#include "enxerto/core/text.h"

namespace enxerto {
namespace {

std::string format_output(const Shape& shape) {
  return shape.h == 1 && shape.w == 1 ? text(shape.c) : text(shape.c, " x ", shape.h, " x ", shape.w);
}

}  // namespace

Summary summarize(const Graph& graph, SummaryStyle style) {
  Summary summary;
  for (const Node& node : graph.nodes()) {
    SummaryRow row{.name = node.name, .kind = std::string(kind_of(node.layer)), .output = node.out};
    row.activation_bytes = node.out.size() * static_cast<std::int64_t>(sizeof(float));
    for (const int index : node.params) {
      const Param& param = graph.params()[static_cast<std::size_t>(index)];
      const std::int64_t size = param.spec.shape.size();
      if (param.spec.trainable() || style == SummaryStyle::keras) row.parameters += size;
      if (param.trainable()) row.trainable += size;
      if (param.spec.role == Role::weight) row.multiply_adds += size * node.out.h * node.out.w;
    }
    summary.parameters += row.parameters;
    summary.trainable += row.trainable;
    summary.multiply_adds += row.multiply_adds;
    summary.layers.push_back(std::move(row));
  }
  summary.non_trainable = summary.parameters - summary.trainable;
  return summary;
}

std::string format_summary(const Summary& summary) {
  using Line = std::array<std::string, 6>;
  std::vector<Line> lines = {{"Layer", "Kind", "Output", "Parameters", "Multiply-adds", "Activations"}};
  for (const SummaryRow& row : summary.layers)
    lines.push_back({row.name, row.kind, format_output(row.output), with_commas(row.parameters),
                     with_commas(row.multiply_adds), human_bytes(static_cast<double>(row.activation_bytes))});
  std::array<std::size_t, 6> widths{};
  for (const Line& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());

  std::size_t width = 2 * (widths.size() - 1);
  for (const std::size_t each : widths) width += each;
  const std::string rule(width, '-');
  std::string out;
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      const bool is_number = i >= 3;
      out += is_number ? space + line[i] : line[i] + space;
      out += i + 1 < line.size() ? "  " : "\n";
    }
    if (&line == &lines.front()) out += rule + "\n";
  }
  out += rule + "\n";
  out += text("Parameters:    ", with_commas(summary.parameters), " (",
              human_bytes(4.0 * static_cast<double>(summary.parameters)), ")\n");
  out += text("Trainable:     ", with_commas(summary.trainable), "\n");
  out += text("Non-trainable: ", with_commas(summary.non_trainable), "\n");
  out += text("Multiply-adds: ", with_commas(summary.multiply_adds), " for one picture\n");
  return out;
}

nlohmann::json summary_to_json(const Summary& summary) {
  nlohmann::json layers = nlohmann::json::array();
  for (const SummaryRow& row : summary.layers)
    layers.push_back({{"name", row.name},
                      {"kind", row.kind},
                      {"output", {row.output.c, row.output.h, row.output.w}},
                      {"parameters", row.parameters},
                      {"trainable", row.trainable},
                      {"multiply_adds", row.multiply_adds},
                      {"activation_bytes", row.activation_bytes}});
  return {{"layers", std::move(layers)},
          {"parameters", summary.parameters},
          {"trainable", summary.trainable},
          {"non_trainable", summary.non_trainable},
          {"multiply_adds", summary.multiply_adds}};
}

}  // namespace enxerto
