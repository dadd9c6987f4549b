// Runs an ONNX file on a batch of pictures: onnx_run MODEL.onnx IN.npy OUT_FOLDER. Writes
// OUT_FOLDER/0.npy, 1.npy... in the order of the graph's outputs, and prints their names.
// tools/compare_onnx.py calls it.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/weights/npy.h"

namespace {

void run(const std::filesystem::path& model, const std::filesystem::path& in,
         const std::filesystem::path& out) {
  using namespace enxerto;
  const NpyArray<float> images = load_npy_floats(in);
  const OnnxModel made = load_onnx(model);
  Shape shape = made.graph.input_shape();
  shape.n = images.dims.at(0);
  Executor executor(made.graph, {.batch = static_cast<int>(shape.n), .side_outputs = true});
  const auto save = [&](std::size_t i, const ConstView& view) {
    save_npy(out / text(i, ".npy"), {view.shape.n, view.shape.c, view.shape.h, view.shape.w}, view.data);
  };
  save(0, executor.forward({shape, images.values}));
  for (std::size_t i = 1; i < made.outputs.size(); ++i) save(i, executor.side_output(i - 1));
  for (const std::string& name : made.outputs) std::puts(name.c_str());
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) {
    std::fputs("usage: onnx_run MODEL.onnx IN.npy OUT_FOLDER\n", stderr);
    return 2;
  }
  run(words[1], words[2], words[3]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
