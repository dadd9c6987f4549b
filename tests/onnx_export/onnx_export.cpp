// Writes networks as ONNX with a batch of pictures and our own answers: onnx_export FOLDER layers|NET...
// NET is one of the zoo with random weights, or a model file of ours; "layers" stands for the small networks
// of testing/onnx_cases.h. For each FOLDER/NAME.onnx, NAME.in.npy, and NAME.0.npy, NAME.1.npy... in the order
// of the file's outputs; for nets NAME.pixels.onnx too, with the preprocessing inside, and NAME.pixels.npy,
// whose normalised pictures NAME.in.npy holds. Prints the names.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/image/image.h"
#include "enxerto/interop/onnx_write.h"
#include "enxerto/testing/onnx_cases.h"
#include "enxerto/weights/npy.h"
#include "enxerto/zoo/model_file.h"
#include "enxerto/zoo/zoo.h"

namespace {

using namespace enxerto;
constexpr int batch = 3;

void save(const std::filesystem::path& path, const ConstView& view) {
  save_npy(path, {view.shape.n, view.shape.c, view.shape.h, view.shape.w}, view.data);
}

void save_case(const std::filesystem::path& folder, const std::string& name, const Graph& graph,
               std::span<const float> in) {
  Shape shape = graph.input_shape();
  shape.n = batch;
  save_onnx(folder / (name + ".onnx"), graph);
  save(folder / (name + ".in.npy"), {shape, in});
  Executor executor(graph, {.batch = batch, .side_outputs = true});
  save(folder / (name + ".0.npy"), executor.forward({shape, in}));
  for (std::size_t i = 0; i < graph.side_outputs().size(); ++i)
    save(folder / text(name, ".", i + 1, ".npy"), executor.side_output(i));
  std::puts(name.c_str());
}

/// Random pictures, before and after normalisation.
void save_net(const std::filesystem::path& folder, const std::string& name, const Graph& graph,
              const Preprocess& preprocess) {
  const Shape shape = graph.input_shape();
  const auto count = static_cast<std::size_t>(shape.size()),
             area = static_cast<std::size_t>(shape.h * shape.w);
  const auto channels = static_cast<std::size_t>(shape.c);
  std::vector<float> pixels(batch * count), values(batch * count);
  for (std::size_t n = 0; n < batch; ++n) {
    Rng rng = Rng(11).child(n);
    Image image(preprocess.height, preprocess.width, preprocess.channels);
    for (std::size_t i = 0; i < count; ++i) {
      image.pixels[i] = static_cast<std::uint8_t>(rng.below(256));
      pixels[n * count + i % channels * area + i / channels] = image.pixels[i];
    }
    preprocess.normalize(image, std::span(values).subspan(n * count, count));
  }
  save_case(folder, name, graph, values);
  save_npy(folder / (name + ".pixels.npy"), {batch, shape.c, shape.h, shape.w}, pixels);
  std::vector<std::string> classes;
  for (std::int64_t i = 0; i < graph.output_shape().c; ++i) classes.push_back(text("class ", i));
  save_onnx(folder / (name + ".pixels.onnx"), graph, {.preprocess = preprocess, .classes = classes});
}

void run(const std::filesystem::path& folder, const std::string& what) {
  if (what == "layers") {
    for (const tests::OnnxCase& test : tests::onnx_cases())
      save_case(folder, test.name, test.graph, tests::onnx_input(test.graph, batch));
  } else if (std::filesystem::is_regular_file(what)) {
    const ModelFile model = load_model(what);
    save_net(folder, std::filesystem::path(what).stem().string(), model.graph,
             Preprocess::from_json(model.preprocess));
  } else {
    const NetInfo& net = find_net(what);
    Graph graph = make_net(what);
    tests::fill_for_onnx(graph);
    save_net(folder, what, graph,
             Preprocess::of(net.normalization, static_cast<int>(net.image.h), static_cast<int>(net.image.w),
                            static_cast<int>(net.image.c)));
  }
}

}  // namespace

int main(int count, char** words) try {
  if (count < 3) {
    std::fputs("usage: onnx_export FOLDER layers|NET|MODEL.safetensors...\n", stderr);
    return 2;
  }
  for (int i = 2; i < count; ++i) run(words[1], words[i]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
