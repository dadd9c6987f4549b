#include "enxerto/zoo/model_runner.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

/// With the features as a side output, where they are wanted beside the outputs.
Executor executor_for(Graph graph, int batch, bool side) {
  if (side) graph.set_side_outputs({features_node(graph, nullptr)});
  return Executor(std::move(graph), {.batch = batch, .side_outputs = side});
}

}  // namespace

ModelRunner::ModelRunner(Graph graph, int batch, std::shared_ptr<const FittedHead> head,
                         std::shared_ptr<const Novelty> novelty)
    : head_(std::move(head)),
      novelty_(std::move(novelty)),
      executor_(executor_for(std::move(graph), batch, !head_ && novelty_)) {
  if (head_) outputs_ = Tensor({.n = batch, .c = std::ssize(head_->classes)});
}

ConstView ModelRunner::run(ConstView images, std::size_t count) {
  const ConstView given = executor_.forward(images);
  distances_.clear();
  if (!head_ && !novelty_) return given;
  const ConstView features = head_ ? given : executor_.side_output(0);
  const std::size_t row = features.data.size() / static_cast<std::size_t>(features.shape.n);
  const ConstView rows{{.n = static_cast<std::int64_t>(count), .c = static_cast<std::int64_t>(row)},
                       features.data.first(count * row)};
  if (!std::ranges::all_of(rows.data, [](float x) { return std::isfinite(x); }))
    throw Error(ErrorKind::diverged, text("a feature is not finite; the first layer to blame is \"",
                                          find_not_finite(images), "\"; are the weights damaged?"));
  if (novelty_) distances_ = novelty_->distances(rows);
  if (!head_) return given;
  const Tensor made = head_->outputs(rows);
  std::ranges::copy(made.data(), outputs_.data().begin());
  return std::as_const(outputs_).view();
}

}  // namespace enxerto
