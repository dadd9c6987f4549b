#include "cli/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <variant>

#include "cli/commands.h"
#include "cli/printable.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/metrics.h"
#include "enxerto/zoo/builtin.h"
#include "enxerto/zoo/imagenet.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

constexpr std::string_view model_endings[] = {".safetensors", ".pth",   ".pt",  ".h5",
                                              ".hdf5",        ".keras", ".onnx"};

/// Whether it can only be meant for a file or folder: no net's name looks so.
bool looks_like_path(const std::string& what) {
  const std::string ending = std::filesystem::path(what).extension().string();
  return what.find('/') != std::string::npos ||
         std::ranges::find(model_endings, ending) != std::end(model_endings);
}

void set_decode(ModelFile& model, Decode decode, const std::string& path) {
  if (model.preprocess.is_null())
    throw Error(ErrorKind::usage,
                text(path,
                     ": does not say how its pictures are prepared, so --decode means nothing; give "
                     "--preprocess with it"));
  try {
    Preprocess preprocess = Preprocess::from_json(model.preprocess);
    preprocess.decode = decode;
    model.preprocess = preprocess.to_json();
  } catch (const Error& error) {
    throw Error(error.kind(), text(path, ": ", error.what()));
  }
}

}  // namespace

void add_weight_flags(CLI::App& verb, ModelFlags& flags) {
  verb.add_option(
          "--preprocess", flags.preprocess,
          "How weights of others want pictures (as their family does): " + join(normalization_names(), ", "))
      ->check(CLI::IsMember(normalization_names()))
      ->type_name("NAME");
  verb.add_flag("--not-strict", flags.not_strict, "Leave out tensors of others that do not fit");
}

void add_model(CLI::App& verb, ModelFlags& flags) {
  verb.add_option("model", flags.path,
                  "Model file, run folder, weights as .safetensors, .pth, .h5, .keras, .onnx, or a net that "
                  "was pulled")
      ->required()
      ->type_name("MODEL");
  verb.add_option("--net", flags.net, "The zoo's net that bare weights are of (as their tensors tell)")
      ->type_name("NAME");
  verb.add_option("--size", flags.size, "Sides of the input (the model's own)")->type_name("PIXELS");
  verb.add_option("--decode", flags.decode,
                  "exact, or fast: large JPEG files come reduced (as the model was trained)")
      ->type_name("NAME");
  add_weight_flags(verb, flags);
}

Pretrained load(const ModelFlags& flags) {
  if (flags.size != 0) check_at_least("--size", flags.size, 1);
  PretrainedOptions options{.net = flags.net, .size = flags.size, .strict = !flags.not_strict};
  if (!flags.preprocess.empty()) options.normalization = parse_normalization(flags.preprocess);
  Pretrained loaded = load_pretrained(find_model(flags.path), options);
  for (const std::string& note : loaded.notes) std::cerr << printable(text(flags.path, ": ", note)) << '\n';
  if (!flags.decode.empty()) set_decode(loaded.model, parse_decode(flags.decode), flags.path);
  return loaded;
}

ModelFile load_net_or_model(const ModelFlags& flags, int classes, bool no_top) {
  const std::string& what = flags.path;
  std::error_code ignored;
  const bool is_there = what == builtin_name || std::filesystem::exists(what, ignored);
  if (!is_there && looks_like_path(what))
    throw Error(ErrorKind::not_found, text(what, ": there is no such file, and no net of that name"));
  if (!is_net(what) && is_there) {
    if (classes || no_top)
      throw Error(ErrorKind::usage, text(what, ": a model is as it is; leave out --classes and --no-top"));
    return load(flags).model;
  }
  const NetInfo& net = find_net(what);
  Shape image = net.image;
  if (flags.size) image.h = image.w = flags.size;
  ModelFile made;
  made.graph = make_net(what, {.image = image, .classes = classes, .include_top = !no_top});
  return made;
}

void take_net_or_model(CLI::App& verb) {
  CLI::Option* const model = verb.get_option("model");
  model->description(model->get_description() + "; or the name of a net, `enxerto models` lists them");
  model->type_name("NET_OR_MODEL");
}

Classifier load_classifier(const ModelFlags& flags) {
  ModelFile file = load(flags).model;
  const std::string& path = flags.path;
  if (file.classes.empty())
    throw Error(ErrorKind::unsupported, text(path, ": its outputs are no classes, so it is no classifier"));
  if (file.preprocess.is_null())
    throw Error(ErrorKind::usage,
                text(path, ": does not say how its pictures are prepared; give --preprocess, one of ",
                     join(normalization_names(), ", ")));
  Classifier model;
  try {
    model.preprocess = Preprocess::from_json(file.preprocess);
  } catch (const Error& error) {
    throw Error(error.kind(), text(path, ": ", error.what()));
  }
  if (model.preprocess.shape() != file.graph.input_shape())
    throw Error(ErrorKind::corrupt,
                text(path, ": it prepares pictures as ", format_shape(model.preprocess.shape()),
                     ", its network takes ", format_shape(file.graph.input_shape())));
  model.graph = std::move(file.graph);
  model.classes = std::move(file.classes);
  model.multi_label = file.multi_label;
  model.head = std::move(file.head);
  model.novelty = std::move(file.novelty);
  model.gives_probabilities =
      !model.head && std::holds_alternative<Softmax>(model.graph.node(model.graph.last()).layer);
  for (const std::string& name : model.classes) {
    const auto known = find_imagenet_class(name);
    if (!known) break;
    model.wnids.emplace_back(imagenet_classes()[static_cast<std::size_t>(*known)].wnid);
  }
  if (model.wnids.size() != model.classes.size()) model.wnids.clear();
  return model;
}

std::string format_fitted_head(const FittedHead& head) {
  std::string line = head.kind;
  if (const auto* knn = std::get_if<Knn>(&head.model))
    line += text(", the nearest ", knn->k, " of ", with_commas(knn->x.shape().n), " rows,");
  if (const auto* forest = std::get_if<Forest>(&head.model))
    line += text(" of ", forest->trees.size(), " trees");
  if (const auto* tree = std::get_if<Tree>(&head.model)) line += text(" of ", tree->feature.size(), " nodes");
  line += " on ";
  if (head.pca) line += text(head.pca->size(), " principal components of ");
  return line + text(with_commas(head.columns()), " features");
}

std::vector<Ranked> rank(const Classifier& model, std::span<const float> outputs, int top) {
  if (!std::ranges::all_of(outputs, [](float value) { return std::isfinite(value); }))
    throw Error(ErrorKind::diverged, "the network's outputs are not finite: its weights are damaged");
  const std::vector<float> probabilities =
      model.multi_label ? sigmoids_of(outputs) : probabilities_of(outputs, model.gives_probabilities);
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return probabilities[i]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  std::vector<Ranked> ranked;
  for (const std::size_t i : order)
    ranked.push_back({model.classes[i], probabilities[i], static_cast<int>(i)});
  return ranked;
}

}  // namespace enxerto::cli
