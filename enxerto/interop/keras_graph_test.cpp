// Keras's own files (tools/make_keras_files.py) against what Keras computes with them.
#include "enxerto/interop/keras_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/graph/executor.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

const std::filesystem::path files = "tests/files/keras";

/// The picture of make_keras_files.py.
Tensor picture(const Shape& shape) {
  Tensor made({.n = 1, .c = shape.c, .h = shape.h, .w = shape.w});
  const auto data = made.data();
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>(static_cast<double>(i * 7919 % 251) / 125.0 - 1.0);
  return made;
}

std::vector<double> answer(const Graph& graph, bool reference = false) {
  Executor executor(graph, {.batch = 1, .reference = reference});
  const Tensor input = picture(graph.input_shape());
  const ConstView out = executor.forward(input.view());
  return {out.data.begin(), out.data.end()};
}

double relative_error(const std::vector<double>& wanted, const std::vector<double>& got) {
  if (wanted.size() != got.size()) return INFINITY;
  double error = 0, size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    error += (wanted[i] - got[i]) * (wanted[i] - got[i]);
    size += wanted[i] * wanted[i];
  }
  return std::sqrt(error / size);
}

Graph load(const std::filesystem::path& path, const Shape& size = {.n = 0}) {
  return graph_from_keras(load_keras(path), path.string(), size);
}

/// Every model of a folder against its expected.json.
void check_folder(const std::filesystem::path& folder) {
  const Json expected = Json::parse(read_text_file(folder / "expected.json"));
  for (const auto& [name, wanted] : expected.items()) {
    SCOPED_TRACE(name);
    try {
      const std::vector<std::int64_t> sizes = wanted.at("input");
      const Shape size = sizes.size() == 1 ? Shape{.c = sizes[0]} : Shape{.c = sizes[2], .h = sizes[0], .w = sizes[1]};
      const Graph graph = load(folder / name, size);
      EXPECT_EQ(graph.input_shape(), size);
      const std::vector<double> output = wanted.at("output");
      EXPECT_LT(relative_error(output, answer(graph)), tests::golden_logits);
      EXPECT_LT(relative_error(output, answer(graph, true)), tests::golden_logits);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(KerasGraph, ComputesWhatKerasComputes) { check_folder(files); }

TEST(KerasGraph, ComputesWhatKerasApplicationsCompute) {
  const std::filesystem::path folder = "build/keras_applications";
  if (!std::filesystem::exists(folder))
    GTEST_SKIP() << folder << " is made by tools/make_keras_files.py --applications; it is too large to keep";
  check_folder(folder);
}

}  // namespace
}  // namespace enxerto
