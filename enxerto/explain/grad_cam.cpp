#include "enxerto/explain/grad_cam.h"

#include <algorithm>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/explain/evaluation.h"

namespace enxerto {
namespace {

Graph with_side_output(const Graph& graph, std::string_view layer) {
  Graph made = graph.clone();
  made.set_side_outputs({map_called(graph, layer)});
  return made;
}

}  // namespace

GradCam::GradCam(const Graph& graph, std::string_view layer)
    : executor_(with_side_output(graph, layer),
                {.batch = 1, .train = true, .side_outputs = true, .input_gradient = true}),
      output_count_(static_cast<std::size_t>(graph.output_shape().size())) {}

std::span<const float> GradCam::outputs(ConstView image) { return executor_.forward(image).data; }

Heatmap GradCam::map(ConstView image, int output) {
  ensure(output >= 0 && static_cast<std::size_t>(output) < output_count_, "the network has this output");
  Tensor dout({.c = static_cast<std::int64_t>(output_count_)});
  dout.data()[static_cast<std::size_t>(output)] = 1;
  executor_.forward(image);
  const Shape shape = executor_.side_output(0).shape;
  Tensor activations(shape);  // of which the backward pass leaves nothing
  std::ranges::copy(executor_.side_output(0).data, activations.data().begin());
  const Tensor nothing(shape);
  const ConstView side_dout = nothing.view();
  executor_.backward(dout.view(), {&side_dout, 1});
  const ConstView gradients = executor_.side_gradient(0);

  const auto places = static_cast<std::size_t>(shape.h * shape.w);
  std::vector<double> sums(places, 0.0);
  for (std::size_t k = 0; k < static_cast<std::size_t>(shape.c); ++k) {
    const auto slopes = gradients.data.subspan(k * places, places);
    const double alpha = std::accumulate(slopes.begin(), slopes.end(), 0.0) / static_cast<double>(places);
    for (std::size_t i = 0; i < places; ++i) sums[i] += alpha * activations.data()[k * places + i];
  }
  Heatmap made{.height = static_cast<int>(shape.h), .width = static_cast<int>(shape.w), .values = {}};
  for (const double sum : sums) made.values.push_back(static_cast<float>(std::max(sum, 0.0)));
  return made;
}

}  // namespace enxerto
