#include "enxerto/transfer/probe.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"

namespace enxerto {
HeadFit fit_probe(const Features& features, const Dataset& data, HeadConfig config) {
  ensure(features.pictures() == data.size(), "there is a row for each picture");
  if (data.multi_label())
    throw Error(ErrorKind::usage,
                "the pictures may have several labels, and a head takes one each; choose another --recipe");
  std::vector<std::int32_t> labels;
  for (int view = 1; view <= features.views(); ++view)
    for (std::int64_t i = 0; i < data.size(); ++i) {
      labels.push_back(data.label(i));
      if (labels.back() == unlabelled)
        throw Error(ErrorKind::usage,
                    text(data.name(i), ": it has no label; training needs one for each picture"));
    }
  Tensor room;
  const ConstView rows = flat(features.all(room));
  const std::vector<std::string> classes(data.classes().begin(), data.classes().end());
  const auto has_two = [&](int k) { return std::ranges::count(labels, k) > features.views(); };
  if (config.folds > 0 &&
      std::ranges::none_of(std::views::iota(0, static_cast<int>(classes.size())), has_two))
    config.folds = 0;  // nothing to judge by: the usual C
  if (features.views() > 1 && config.folds > 1) {
    const auto pictures = static_cast<std::size_t>(data.size());
    Tensor first;
    const std::vector<std::int32_t> folds = stratified_folds({.x = flat(features.matrix(1, first)),
                                                              .y = std::span(labels).first(pictures),
                                                              .classes = static_cast<int>(classes.size())},
                                                             config.folds, config.seed);
    for (int view = 1; view <= features.views(); ++view)
      config.fold_of_row.insert(config.fold_of_row.end(), folds.begin(), folds.end());
  }
  const int count = static_cast<int>(classes.size());
  if (features.views() > 1 && config.kind == "forest")
    for (int view = 1; view <= features.views(); ++view)
      for (std::int64_t i = 0; i < data.size(); ++i)
        config.group_of_row.push_back(static_cast<std::int32_t>(i));
  // Whoever is left out of ridge's rows must not stay in another view: C is found with one view of each, and
  // a sum over so many views weighs as much as one with so much less of it.
  std::vector<RidgeStep> leave_one_out;
  if (features.views() > 1 && config.kind == "ridge" && !config.strength) {
    Tensor first;
    const Rows once{.x = flat(features.matrix(1, first)),
                    .y = std::span(labels).first(static_cast<std::size_t>(data.size())),
                    .classes = count};
    HeadReport found = fit_head(once, classes, config).report;
    config.strength = *found.strength / features.views();
    leave_one_out = std::move(found.leave_one_out);
    for (RidgeStep& step : leave_one_out) step.strength /= features.views();
  }
  HeadFit fit = fit_head({.x = rows, .y = labels, .classes = count}, classes, config);
  if (!leave_one_out.empty()) fit.report.leave_one_out = std::move(leave_one_out);
  return fit;
}

Tensor outputs_of(const FittedHead& head, const Features& features) {
  Tensor room;
  return head.outputs(flat(features.matrix(1, room)));
}

void set_head(const LinearHead& head, double temperature, Graph& graph) {
  const Node& last = head_of(graph);
  ensure(last.params.size() == 2, "the last layer has a weight and a bias");
  for (const auto& [place, from] : {std::pair{last.params[0], &head.w}, {last.params[1], &head.b}})
    std::ranges::transform(from->data(), graph.params()[static_cast<std::size_t>(place)].value.data().begin(),
                           [&](float x) { return static_cast<float>(x / temperature); });
}

LinearHead head_in(const Graph& graph) {
  const Node& last = head_of(graph);
  ensure(last.params.size() == 2, "the last layer has a weight and a bias");
  const auto value = [&](std::size_t i) -> const Tensor& {
    return graph.params()[static_cast<std::size_t>(last.params[i])].value;
  };
  LinearHead head(static_cast<int>(value(0).shape().n), value(0).shape().c);
  std::ranges::copy(value(0).data(), head.w.data().begin());
  std::ranges::copy(value(1).data(), head.b.data().begin());
  return head;
}

}  // namespace enxerto
