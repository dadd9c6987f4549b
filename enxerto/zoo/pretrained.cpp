#include "enxerto/zoo/pretrained.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/data/preprocess.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/interop/keras_graph.h"
#include "enxerto/interop/onnx_read.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/hdf5.h"
#include "enxerto/weights/keras_file.h"
#include "enxerto/weights/safetensors.h"
#include "enxerto/weights/torch_file.h"
#include "enxerto/zoo/builtin.h"
#include "enxerto/zoo/cache.h"
#include "enxerto/zoo/imagenet.h"
#include "enxerto/zoo/recognize.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Bytes = std::span<const std::uint8_t>;

enum class Format { safetensors, torch, keras, onnx };

bool starts_with(Bytes bytes, std::string_view start) {
  return bytes.size() >= start.size() && std::memcmp(bytes.data(), start.data(), start.size()) == 0;
}

Format format_of(Bytes bytes, const std::string& file) {
  if (looks_like_hdf5(bytes)) return Format::keras;
  if (looks_like_torch(bytes)) return Format::torch;
  if (starts_with(bytes, "PK\3\4")) return Format::keras;  // the other program that packs its files
  if (bytes.size() > 8 && bytes[8] == '{') return Format::safetensors;
  if (looks_like_onnx(bytes)) return Format::onnx;
  throw Error(ErrorKind::unsupported,
              text(file,
                   ": holds no weights that we can read; there are safetensors, PyTorch's "
                   ".pth and .pt, Keras's .h5 and .keras, and ONNX"));
}

/// What a file holds: bare weights, or a whole network.
struct Content {
  NamedTensors tensors;
  std::optional<Graph> graph;
  std::map<std::string, std::string> metadata;
};

Content read_content(Bytes bytes, const std::string& file, const PretrainedOptions& options) {
  Content content;
  switch (format_of(bytes, file)) {
    case Format::safetensors: {
      SafetensorsFile stored = parse_safetensors(bytes, file);
      content.tensors = std::move(stored.tensors);
      content.metadata = std::move(stored.metadata);
      break;
    }
    case Format::torch:
      content.tensors = parse_torch(bytes, file);
      break;
    case Format::keras: {
      KerasFile stored = parse_keras(bytes, file);
      const Shape size{.c = 3, .h = options.size, .w = options.size};
      if (!stored.config.empty() && options.net.empty())
        content.graph = graph_from_keras(stored, file, options.size ? size : Shape{.n = 0});
      content.tensors = std::move(stored.tensors);
      break;
    }
    case Format::onnx: {
      OnnxModel stored = parse_onnx(bytes, file, {.height = options.size, .width = options.size});
      content.metadata = std::move(stored.metadata);
      content.graph = std::move(stored.graph);
      break;
    }
  }
  return content;
}

// ---- Names of the outputs.

constexpr std::array<const char*, 10> cifar10_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                       "dog",      "frog",       "horse", "ship", "truck"};

/// Gives names that are there more than once numbers, from "crane (2)" on, as ImageNet's short names need it.
/// The last of those that were changed; empty where all were distinct. Throws Error{corrupt} where one is
/// empty.
std::string make_distinct(std::vector<std::string>& names, const std::string& where) {
  const std::set<std::string> given(names.begin(), names.end());
  std::set<std::string> seen;
  std::map<std::string, int> numbers;
  std::string changed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string& name = names[i];
    if (name.empty())
      throw Error(ErrorKind::corrupt, text(where, ": name ", i + 1, " of ", names.size(), " is empty"));
    if (seen.insert(name).second) continue;
    int& number = numbers.try_emplace(name, 1).first->second;
    do changed = text(name, " (", ++number, ")");
    while (given.contains(changed) || !seen.insert(changed).second);
    name = changed;
  }
  return changed;
}

void note_distinct(Pretrained& made, const std::string& changed) {
  if (!changed.empty())
    made.notes.push_back(
        text("class names that are there more than once have a number, such as \"", changed, "\""));
}

fs::path labels_path(fs::path path) { return path.replace_extension(".labels.txt"); }

/// The lines of FILE.labels.txt beside the file, as names; empty where there is no such file.
std::vector<std::string> labels_beside(const fs::path& path, std::size_t outputs) {
  const fs::path labels = labels_path(path);
  std::error_code ignored;
  if (!fs::is_regular_file(labels, ignored)) return {};
  std::vector<std::string> names;
  std::string content = read_text_file(labels);
  if (!is_utf8(content))
    throw Error(ErrorKind::corrupt, text(labels.string(), ": is not UTF-8; save it as UTF-8 or remove it"));
  constexpr std::string_view mark = "\xEF\xBB\xBF";  // that Windows puts in front of UTF-8
  if (content.starts_with(mark)) content.erase(0, mark.size());
  for (std::string& line : split(content, '\n')) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    const auto known = find_imagenet_class(line);
    names.push_back(known ? std::string(imagenet_classes()[static_cast<std::size_t>(*known)].name)
                          : std::move(line));
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.size() != outputs)
    throw Error(ErrorKind::corrupt, text(labels.string(), ": has ", names.size(), " names, the network ",
                                         outputs, " outputs; mend or remove it"));
  return names;
}

/// The list of names in our own metadata; empty where there is none.
std::vector<std::string> classes_in(const std::map<std::string, std::string>& metadata,
                                    const std::string& file) {
  const auto found = metadata.find("enxerto.classes");
  if (found == metadata.end()) return {};
  const Json json = Json::parse(found->second, nullptr, false);
  const auto is_text = [](const Json& each) { return each.is_string(); };
  if (!json.is_array() || !std::ranges::all_of(json, is_text))
    throw Error(ErrorKind::corrupt, text(file, ": enxerto.classes is not a list of names"));
  return json.get<std::vector<std::string>>();
}

void name_classes(Pretrained& made, const fs::path& path,
                  const std::map<std::string, std::string>& metadata) {
  const auto is_true = [&](const char* key) {
    const auto found = metadata.find(key);
    return found != metadata.end() && found->second == "true";
  };
  made.model.trunk = is_true("enxerto.trunk");
  if (made.model.trunk) return;  // its outputs are features
  const Shape output = made.model.graph.output_shape();
  // One that convert wrote: each output is a question of its own, so there may be one alone.
  made.model.multi_label = is_true("enxerto.multi_label");
  const std::int64_t least = made.model.multi_label ? 1 : 2;
  if (output.h != 1 || output.w != 1 || output.c < least || output.c > 1'000'000) return;
  const auto outputs = static_cast<std::size_t>(output.c);
  std::vector<std::string>& classes = made.model.classes;
  if (classes = labels_beside(path, outputs); !classes.empty()) {
    made.notes.push_back("class names: those of the labels file beside it");
    note_distinct(made, make_distinct(classes, labels_path(path).string()));
  } else if (classes = classes_in(metadata, path.string()); classes.size() == outputs) {
    note_distinct(made, make_distinct(classes, text(path.string(), ": enxerto.classes")));
  } else if (outputs == imagenet_classes().size()) {
    classes = imagenet_names();
    made.notes.push_back("class names: ImageNet's 1,000, in their usual order");
  } else if (outputs == cifar10_names.size() && made.net.ends_with("_cifar")) {
    classes.assign(cifar10_names.begin(), cifar10_names.end());
    made.notes.push_back("class names: CIFAR-10's, in their usual order");
  } else {
    classes.clear();
    for (std::size_t i = 0; i < outputs; ++i) classes.push_back(text("class ", i));
    made.notes.push_back("class names: unknown, so numbers");
  }
}

// ---- Preprocessing.

/// What other programs' metadata say in words: "RGB, x/127.5-1, 224x224".
std::optional<Normalization> normalization_in(const std::string& words) {
  if (words.starts_with("RGB, x/127.5-1")) return Normalization::half;
  if (words.starts_with("RGB, x/255")) return Normalization::unit;
  return std::nullopt;
}

/// The part of pictures that networks of no known family are evaluated on. ImageNet's evaluations cut 224 of
/// 256; small pictures, such as MNIST's and CIFAR's, are the object and no more.
double usual_crop(Normalization normalization, const Shape& input) {
  constexpr std::int64_t small = 96;
  const bool whole = normalization == Normalization::mnist || std::min(input.h, input.w) < small;
  return whole ? 1 : 0.875;
}

Preprocess fitted_to(const Graph& graph, Normalization normalization, double crop_fraction,
                     const std::string& file) {
  const Shape in = graph.input_shape();
  if (in.c != 1 && in.c != 3)
    throw Error(ErrorKind::unsupported,
                text(file, ": the network takes ", in.c, " channels; pictures have 1 or 3"));
  Preprocess made =
      Preprocess::of(normalization, static_cast<int>(in.h), static_cast<int>(in.w), static_cast<int>(in.c));
  made.crop_fraction = crop_fraction;
  return made;
}

std::string nearest(const std::vector<Match>& matches) {
  std::vector<std::string> lines;
  for (const Match& each : matches) {
    if (lines.size() == 3) break;
    lines.push_back(
        text(each.net->name, " (", each.fitting, " tensors fit, ", each.problems.size(), " do not)"));
  }
  return lines.empty() ? "no net of the zoo has anything in common with it"
                       : "the nearest are " + join(lines, ", ");
}

/// The input that was asked for; empty: the net's own.
std::optional<Shape> image_of(const NetInfo& net, const PretrainedOptions& options) {
  if (!options.size) return std::nullopt;
  return Shape{.c = net.image.c, .h = options.size, .w = options.size};
}

/// The one net that the weights are of, as it was asked for or found, with how they fit at the size that was
/// asked for.
Match choose(const ConventionalWeights& weights, const std::string& file, const PretrainedOptions& options) {
  const auto at_size = [&](const NetInfo& net) {
    return match_net(net, weights, image_of(net, options)).front();
  };
  if (!options.net.empty()) return at_size(find_net(options.net));
  const std::vector<Match> matches = match_zoo(weights);
  std::vector<Match> fitting = best_of(matches);
  // It is recognised at the net's own size, where all of it fits.
  if (fitting.size() == 1) return options.size ? at_size(*fitting.front().net) : std::move(fitting.front());
  if (fitting.empty())
    throw Error(ErrorKind::unsupported,
                text(file, ": its weights are not those of any net that we know; ", nearest(matches),
                     "; name one with --net, and --preprocess with it, to see what does not fit"));
  throw Error(ErrorKind::unsupported,
              text(file, ": its weights fit several nets; name one with --net: ", nearest(fitting)));
}

/// The normalization of the net of the zoo whose parameters a whole network has, if there is exactly one.
std::optional<Match> family_of(const Graph& graph) {
  ConventionalWeights weights;
  for (const Param& param : graph.params()) {
    const Shape& shape = param.spec.shape;
    const std::array<std::int64_t, 4> sizes = {shape.n, shape.c, shape.h, shape.w};
    weights.tensors.push_back(
        {param.name, {sizes.begin(), sizes.begin() + param.spec.rank}, Tensor::untouched(shape)});
  }
  for (const Convention convention : {Convention::torch, Convention::keras}) {
    weights.convention = convention;
    std::vector<Match> fitting = best_of(match_zoo(weights));
    if (fitting.size() == 1 && fitting.front().cut.empty()) return std::move(fitting.front());
  }
  return std::nullopt;
}

Pretrained from_weights(Content& content, const std::string& file, const PretrainedOptions& options) {
  const ConventionalWeights weights = to_our_convention(std::move(content.tensors), file);
  const Match match = choose(weights, file, options);
  const NetInfo& net = *match.net;
  const std::optional<Shape> image = image_of(net, options);
  Pretrained made;
  made.net = net.name;
  made.model.graph = make_matched(match, weights, image, options.strict, file);
  made.model.trunk = !match.cut.empty();
  const Normalization normalization = options.normalization.value_or(match.normalization);
  Preprocess preprocess = fitted_to(made.model.graph, normalization, net.crop_fraction, file);
  // Of the makers' own file more is known: torchvision's newer weights want another resize.
  const Source* source = find_source_of_file(fs::path(file).filename().string());
  if (source && source->net == net.name && !options.normalization && !options.size)
    preprocess = preprocess_of(*source);
  made.model.preprocess = preprocess.to_json();
  made.notes.push_back(text(options.net.empty() ? "recognised as " : "taken as ", net.name,
                            match.program.empty() ? "" : " with the names of " + match.program,
                            match.cut.empty() ? "" : ", whose weights end at " + match.cut, "; pictures as ",
                            format_preprocess(preprocess)));
  if (!match.unused.empty())
    made.notes.push_back(text(match.unused.size(), " tensors that ", net.name,
                              " can do without are left out, such as ", match.unused.front()));
  if (weights.leaves_average)
    made.notes.emplace_back("the weights themselves are taken, not their average (EMA or SWA) beside them");
  if (!match.doubt.empty()) made.notes.emplace_back(match.doubt);
  if (!match.fits())
    made.notes.push_back(
        text("not strict: parameters of ", net.name, " that find no weights and are at rest: ", match.missing,
             "; tensors of the file left over: ", match.left_over, "; such as: ", match.problems.front()));
  if (match.cut.empty()) name_classes(made, file, content.metadata);  // else its outputs are features
  return made;
}

/// Pictures come larger or smaller; the weights stay.
void resize_input(ModelFile& model, int size, const std::string& file) {
  try {
    model.graph =
        rebuilt(model.graph, {.image = Shape{.c = model.graph.input_shape().c, .h = size, .w = size}});
    if (model.preprocess.is_null()) return;
    Preprocess preprocess = Preprocess::from_json(model.preprocess);
    preprocess.height = preprocess.width = size;
    model.preprocess = preprocess.to_json();
  } catch (const Error& error) {
    throw Error(error.kind(), text(file, ": ", error.what()));
  }
}

Pretrained from_graph(Content& content, const std::string& file, const PretrainedOptions& options) {
  if (!options.net.empty())
    throw Error(ErrorKind::usage, text(file, ": holds a whole network; leave out --net"));
  Pretrained made;
  made.model.graph = std::move(*content.graph);
  const Graph& graph = made.model.graph;
  const auto own = content.metadata.find("enxerto.preprocess"), words = content.metadata.find("preprocess");
  const std::optional<Match> family = family_of(graph);
  if (family) {
    made.net = family->net->name;
    made.notes.push_back(text("its network is ", made.net));
  }
  std::optional<Normalization> normalization = options.normalization;
  if (!normalization && own != content.metadata.end()) {
    made.model.preprocess = Json::parse(own->second, nullptr, false);
    if (options.size) resize_input(made.model, options.size, file);
    return made;
  }
  if (!normalization && words != content.metadata.end()) normalization = normalization_in(words->second);
  if (family && !normalization) normalization = family->normalization;
  const Shape trained_on = graph.input_shape();
  if (options.size) resize_input(made.model, options.size, file);
  const Shape in = graph.input_shape();
  if (!normalization || (in.c != 1 && in.c != 3)) return made;
  const double crop_fraction = family ? family->net->crop_fraction : usual_crop(*normalization, trained_on);
  const Preprocess preprocess = fitted_to(graph, *normalization, crop_fraction, file);
  made.model.preprocess = preprocess.to_json();
  made.notes.push_back(text("pictures as ", format_preprocess(preprocess)));
  return made;
}

}  // namespace

Preprocess preprocess_of(const NetInfo& net, Normalization normalization, int size) {
  Preprocess made =
      Preprocess::of(normalization, size ? size : static_cast<int>(net.image.h),
                     size ? size : static_cast<int>(net.image.w), static_cast<int>(net.image.c));
  made.crop_fraction = net.crop_fraction;
  return made;
}

Pretrained load_pretrained(const fs::path& path, const PretrainedOptions& options) {
  const auto place = fs::is_directory(path) ? path / "model.safetensors" : path;
  const std::string file = place.string();
  const std::vector<std::uint8_t> bytes = read_file(place);
  Content content = read_content(bytes, file, options);
  if (content.metadata.contains("enxerto.format")) {
    if (!options.net.empty() || options.normalization)
      throw Error(ErrorKind::usage,
                  text(file,
                       ": a model file knows its network and its preprocessing; leave out --net and "
                       "--preprocess"));
    Pretrained made{.model = load_model(place), .net = {}, .notes = {}};
    if (options.size) resize_input(made.model, options.size, file);
    return made;
  }
  if (!content.graph) return from_weights(content, file, options);
  Pretrained made = from_graph(content, file, options);
  name_classes(made, place, content.metadata);
  return made;
}

fs::path find_model(const std::string& model) {
  std::error_code ignored;
  if (fs::is_directory(model, ignored)) return fs::path(model) / "model.safetensors";
  if (fs::exists(model, ignored)) return model;
  if (model == builtin_name) return builtin_file();
  const std::string net = split(model, ':')[0];
  if (!is_net(net)) throw Error(ErrorKind::not_found, text(model, ": there is no such file"));
  const Source& source = find_source(model);
  if (auto file = find_cached(source)) return *file;
  throw Error(ErrorKind::not_found,
              text(model,
                   ": there is no such file, and its weights are not in the cache; `enxerto "
                   "pull ",
                   model, "` fetches them"));
}

bool holds_network(const fs::path& path) {
  const std::string file = path.string();
  const std::vector<std::uint8_t> bytes = read_file(path);
  const Format format = format_of(bytes, file);
  if (format == Format::safetensors)
    return parse_safetensors(bytes, file).metadata.contains("enxerto.format");
  return format == Format::onnx;
}

ConventionalWeights load_weights(const fs::path& path) {
  const std::string file = path.string();
  const std::vector<std::uint8_t> bytes = read_file(path);
  Content content;
  if (format_of(bytes, file) == Format::keras)
    content.tensors = parse_keras(bytes, file).tensors;
  else
    content = read_content(bytes, file, {});
  if (!content.graph) return to_our_convention(std::move(content.tensors), file);
  return {.tensors = content.graph->state(), .convention = Convention::torch};
}

}  // namespace enxerto
