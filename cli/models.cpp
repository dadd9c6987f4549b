// enxerto models: what the zoo has.
#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "enxerto/core/environment.h"
#include "enxerto/core/text.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/summary.h"
#include "enxerto/zoo/cache.h"
#include "enxerto/zoo/sources.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

/// Without a cache there is nothing in it.
std::optional<std::filesystem::path> find_file(const Source& source) {
  if (environment().cache.empty()) return std::nullopt;
  return find_cached(source);
}

nlohmann::json or_null(double figure) { return figure > 0 ? nlohmann::json(figure) : nlohmann::json(); }
nlohmann::json or_null(std::string_view word) {
  return word.empty() ? nlohmann::json() : nlohmann::json(word);
}

nlohmann::json to_json(const Source& source) {
  const auto file = find_file(source);
  return {{"name", source.name()},
          {"version", source.version},
          {"origin", source.origin},
          {"url", source.url()},
          {"file", source.file},
          {"sha256", or_null(source.sha256)},
          {"md5", or_null(source.md5)},
          {"top1", or_null(source.top1)},
          {"top5", or_null(source.top5)},
          {"figures_data", source.figures_data},
          {"figures_page", source.figures_page},
          {"license", source.license},
          {"license_note", source.license_note},
          {"preprocess", preprocess_of(source).to_json()},
          {"cached", file ? nlohmann::json(file->string()) : nlohmann::json()}};
}

nlohmann::json to_json(const NetInfo& net, const Summary& torch, const Summary& keras) {
  nlohmann::json weights = nlohmann::json::array();
  for (const Source& source : sources_of(net.name)) weights.push_back(to_json(source));
  return {{"name", net.name},
          {"description", net.description},
          {"image", {net.image.c, net.image.h, net.image.w}},
          {"classes", net.classes},
          {"parameters", torch.parameters},
          {"parameters_keras", keras.parameters},
          {"multiply_adds", torch.multiply_adds},
          {"weights", weights}};
}

using Row = std::array<std::string, 7>;

/// "80.9/95.4"; a figure that nobody published is left out.
std::string format_figures(const Source& source) {
  if (source.top1 <= 0) return "";
  const std::string top1 = fixed(100 * source.top1, 1);
  return source.top5 > 0 ? text(top1, "/", fixed(100 * source.top5, 1)) : text(top1, pad_right("", 5));
}

void print_table(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool is_number = i >= 1 && i <= 3;
      line += text(i ? "  " : "", is_number ? pad_left(row[i], widths[i]) : pad_right(row[i], widths[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << '\n';
  }
}

void add_rows(const NetInfo& net, std::int64_t parameters, std::vector<Row>& rows) {
  const std::string image = text(net.image.c, "x", net.image.h, "x", net.image.w);
  const auto weights = sources_of(net.name);
  if (weights.empty())
    rows.push_back({std::string(net.name), with_commas(parameters), image, "", "", "", ""});
  for (const Source& source : weights) {
    const bool is_default = &source == &weights.front();
    rows.push_back({is_default ? std::string(net.name) : "  " + source.name(),
                    is_default ? with_commas(parameters) : "", is_default ? image : "",
                    format_figures(source), std::string(source.origin), std::string(source.license),
                    find_file(source) ? "yes" : "no"});
  }
}

int run_models(const Common& common) {
  nlohmann::json models = nlohmann::json::array();
  std::vector<Row> rows = {{"net", "parameters", "input", "top-1/5 %", "weights", "licence", "here"}};
  for (const NetInfo& net : nets()) {
    // Values that nobody touches take no memory: Tensor::untouched.
    const Graph graph = make_net(net.name);
    const Summary summary = summarize(graph);
    if (common.json)
      models.push_back(to_json(net, summary, summarize(graph, SummaryStyle::keras)));
    else
      add_rows(net, summary.parameters, rows);
  }
  if (common.json) {
    print_json({{"cache", environment().cache}, {"models", models}});
    return 0;
  }
  print_table(rows);
  std::cout << "\nParameters as PyTorch counts them. The figures are those of whoever made the weights, on "
               "ImageNet's\n"
               "validation pictures (_cifar: CIFAR-10's test pictures); `--json` has their sources and the "
               "licences.\n"
               "`enxerto pull NAME` downloads weights"
            << (environment().cache.empty() ? "" : " to " + environment().cache)
            << ".\n`builtin` is a small network of our own, in the box.\n";
  return 0;
}

}  // namespace

void add_models(CLI::App& app, Action& chosen) {
  auto common = std::make_shared<Common>();
  CLI::App* verb = app.add_subcommand("models", "List the networks and where their official weights are");
  add_json(*verb, *common);
  verb->footer(
      "Examples:\n"
      "  enxerto models\n"
      "  enxerto models --json");
  verb->callback([common, &chosen] { chosen = [common] { return run_models(*common); }; });
}

}  // namespace enxerto::cli
