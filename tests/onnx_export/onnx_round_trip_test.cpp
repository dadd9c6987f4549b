// Networks of the zoo to ONNX and back: the same answers, from files with and without the preprocessing
// inside.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/graph/executor.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/interop/onnx_write.h"
#include "enxerto/testing/onnx_cases.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

std::vector<float> answers(const Graph& graph, std::span<const float> in) {
  Executor executor(graph, {.side_outputs = true});
  const ConstView out = executor.forward({graph.input_shape(), in});
  std::vector<float> all(out.data.begin(), out.data.end());
  for (std::size_t i = 0; i < graph.side_outputs().size(); ++i) {
    const ConstView side = executor.side_output(i);
    all.insert(all.end(), side.data.begin(), side.data.end());
  }
  return all;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double apart = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    norm += double{b[i]} * b[i];
  }
  return std::sqrt(apart / std::max(norm, 1e-60));
}

class OnnxRoundTrip : public testing::TestWithParam<const char*> {};

TEST_P(OnnxRoundTrip, GivesTheSameAnswers) {
  const NetInfo& net = find_net(GetParam());
  const Shape image{.c = net.image.c,
                    .h = std::min<std::int64_t>(net.image.h, 64),
                    .w = std::min<std::int64_t>(net.image.w, 64)};
  Graph graph = make_net(net.name, {.image = image, .classes = 7});
  tests::fill_for_onnx(graph);
  const std::vector<float> in = tests::onnx_input(graph, 1);
  const std::vector<float> wanted = answers(graph, in);
  OnnxExtras extras;
  extras.preprocess = Preprocess::of(net.normalization, static_cast<int>(image.h), static_cast<int>(image.w),
                                     static_cast<int>(image.c));
  for (const bool inside : {true, false}) {
    extras.preprocess_inside = inside;
    const OnnxModel read = parse_onnx(serialize_onnx(graph, extras), "net.onnx");
    EXPECT_LE(distance(answers(read.graph, in), wanted), 1e-5);
    EXPECT_EQ(read.graph.side_outputs().size(), graph.side_outputs().size());
  }
}

INSTANTIATE_TEST_SUITE_P(, OnnxRoundTrip,
                         testing::Values("lecture3", "lenet5", "resnet20_cifar", "googlenet_aux",
                                         "mobilenet_v1_0.25", "mobilenet_v2", "mobilenet_v3_small",
                                         "squeezenet1_1", "darknet_tiny"),
                         [](const auto& row) {
                           std::string name = row.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace enxerto
