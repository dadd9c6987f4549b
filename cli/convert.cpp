// enxerto convert: a model of others as ours, ours as ONNX.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/split.h"
#include "enxerto/graph/summary.h"
#include "enxerto/interop/onnx_write.h"
#include "enxerto/zoo/model_file.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertFlags {
  Common common;
  ModelFlags model;
  std::string out, cut;
  bool plain_input = false, half = false;
};

/// By the ending: ".onnx" or ".safetensors".
bool is_onnx(const std::string& out) {
  const std::string ending = fs::path(out).extension().string();
  if (ending != ".onnx" && ending != ".safetensors")
    throw Error(ErrorKind::usage,
                text(out, ": we write .safetensors and .onnx; give the name one of these endings"));
  return ending == ".onnx";
}

/// The graph up to one layer; or up to several, and what they give side by side, of maps the mean of each
/// channel.
void cut(Graph& graph, const std::vector<std::string>& layers) {
  graph.set_side_outputs({});
  if (layers.size() == 1) return graph.cut_after(layers.front());
  std::vector<NodeId> lists;
  for (const std::string& layer : layers) {
    const NodeId id = graph.id_of(layer);
    const bool map = is_map(graph.node(id).out);
    lists.push_back(map ? graph.add(free_name(graph, layer + ".mean"), GlobalAvgPool{}, {id}) : id);
  }
  // A trunk that was made so before has layers of these names.
  const std::string name = free_name(graph, "features");
  graph.add(name, Concat{}, lists);
  graph.cut_after(name);
}

/// What is behind the layers goes, and what belonged to it.
void cut(ModelFile& model, const ConvertFlags& flags) {
  try {
    cut(model.graph, split(flags.cut, ','));
  } catch (const Error& error) {
    throw Error(error.kind(), text(flags.model.path, ": ", error.what()));
  }
  model.trunk = true;
  model.classes.clear();
  model.multi_label = false;
  model.head = nullptr;
  model.novelty = nullptr;
}

int run_convert(const ConvertFlags& flags) {
  const bool onnx = is_onnx(flags.out);
  // The file that is read, which a run folder or a name in the cache only leads to.
  if (is_same_file(find_model(flags.model.path), flags.out))
    throw Error(ErrorKind::usage, text(flags.out, ": is the file to be converted; choose another name"));
  if (onnx && flags.half) throw Error(ErrorKind::usage, "--half is for .safetensors; leave it out for ONNX");
  if (!onnx && flags.plain_input)
    throw Error(ErrorKind::usage, "--plain-input is for .onnx; leave it out for .safetensors");
  Pretrained loaded = load(flags.model);
  ModelFile& model = loaded.model;
  if (!flags.cut.empty()) cut(model, flags);
  if (onnx && model.head)
    throw Error(
        ErrorKind::unsupported,
        text(flags.model.path, ": its head is ", model.head->kind,
             ", which is no layer, so it cannot be written as ONNX; fit a logistic, svm or ridge head, or "
             "write .safetensors"));
  if (onnx) {
    OnnxExtras extras;
    if (!model.preprocess.is_null()) extras.preprocess = Preprocess::from_json(model.preprocess);
    extras.classes = model.classes;
    if (model.multi_label) extras.metadata["enxerto.multi_label"] = "true";
    if (model.trunk) extras.metadata["enxerto.trunk"] = "true";
    extras.preprocess_inside = !flags.plain_input;
    save_onnx(flags.out, model.graph, extras);
    if (model.novelty) {
      loaded.notes.emplace_back("its \"unknown\" answer stays behind: ONNX has no place for it");
      std::cerr << flags.out << ": " << loaded.notes.back() << '\n';
    }
  } else {
    save_model(flags.out, model, flags.half);
  }
  const Summary summary = summarize(model.graph);
  if (flags.common.json)
    print_json({{"out", flags.out},
                {"format", onnx ? "onnx" : "safetensors"},
                {"net", loaded.net},
                {"parameters", summary.parameters},
                {"classes", model.classes.size()},
                {"preprocess", model.preprocess},
                {"notes", loaded.notes}});
  else
    std::cout << flags.out << ": " << with_commas(summary.parameters) << " parameters, "
              << model.graph.nodes().size() << " layers, "
              << (model.classes.empty()
                      ? std::string("no classes")
                      : text(with_commas(static_cast<std::int64_t>(model.classes.size())), " classes"))
              << '\n';
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* verb = app.add_subcommand("convert", "Turn a model of others into ours, or ours into ONNX");
  add_model(*verb, flags->model);
  verb->add_option("out", flags->out, "File to write: .safetensors (a whole model) or .onnx")
      ->required()
      ->type_name("OUT");
  verb->add_flag("--plain-input", flags->plain_input,
                 "ONNX that takes prepared numbers; else the preparation of pixels 0..255 is inside");
  verb->add_option(
          "--cut", flags->cut,
          "Only up to this layer: a trunk for others to grow on; of LAYER,LAYER... the features side by side")
      ->type_name("LAYER");
  verb->add_flag("--half", flags->half, "A .safetensors file in half precision: half the size");
  add_json(*verb, flags->common);
  verb->footer(
      "Examples:\n"
      "  enxerto convert run flowers.onnx\n"
      "  enxerto convert resnet50-0676ba61.pth resnet50.safetensors\n"
      "  enxerto convert mobilenet.h5 mobilenet.onnx");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_convert(*flags); }; });
}

}  // namespace enxerto::cli
