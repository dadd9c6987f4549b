#include "enxerto/weights/keras_file.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"
#include "enxerto/weights/hdf5.h"
#include "enxerto/weights/keras_config.h"
#include "enxerto/weights/zip.h"

namespace enxerto {
namespace {

using keras::Json;
using keras::PlacedLayer;
using Names = std::vector<std::string>;

constexpr std::uint64_t json_limit = 64u << 20, weights_limit = std::uint64_t{8} << 30;

[[noreturn]] void corrupt(const std::string& file, const std::string& what) {
  throw Error(ErrorKind::corrupt, text(file, ": ", what));
}

std::string below(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "/" + name;
}

/// What an HDF5 file holds, to be asked by path; arrays are handed out once.
class Store {
 public:
  explicit Store(Hdf5Content content) : content_(std::move(content)) {
    for (Hdf5Texts& texts : content_.texts)
      texts_.emplace(std::pair{texts.object, texts.name}, &texts.values);
    for (NamedTensor& array : content_.arrays) {
      // Early `.keras` files of Windows have its separators.
      std::ranges::replace(array.name, '\\', '/');
      arrays_.emplace(array.name, &array);
    }
  }

  const Names* texts(const std::string& object, const std::string& name) const {
    const auto found = texts_.find({object, name});
    return found == texts_.end() ? nullptr : found->second;
  }
  std::string one_text(const std::string& object, const std::string& name) const {
    const Names* found = texts(object, name);
    return found == nullptr || found->size() != 1 ? "" : found->front();
  }
  /// A list that Keras cuts into name0, name1 ... where it does not fit into one attribute.
  Names list(const std::string& object, const std::string& name) const {
    if (const Names* whole = texts(object, name)) return *whole;
    Names all;
    for (int i = 0; const Names* part = texts(object, text(name, i)); ++i)
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }
  bool has_list(const std::string& object, const std::string& name) const {
    return texts(object, name) != nullptr || texts(object, name + "0") != nullptr;
  }

  bool has(const std::string& path) const { return arrays_.count(path) != 0; }
  NamedTensor take(const std::string& path, std::string name) {
    NamedTensor taken = std::move(*arrays_.at(path));
    arrays_.erase(path);
    taken.name = std::move(name);
    return taken;
  }
  const std::map<std::string, NamedTensor*>& arrays() const { return arrays_; }

 private:
  Hdf5Content content_;
  std::map<std::pair<std::string, std::string>, const Names*> texts_;
  std::map<std::string, NamedTensor*> arrays_;
};

std::string without_suffix(std::string name, std::string_view suffix) {
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

/// "kernel" of "kernel:0", and of "conv1_W_1" as Keras 1 has it in layer conv1.
std::string role_of(const std::string& last, const std::string& layer) {
  std::string role = last.substr(0, last.find(':'));
  if (!role.starts_with(layer + "_")) return role;
  role = without_suffix(role.substr(layer.size() + 1), "_1");
  const std::map<std::string_view, std::string_view> modern = {
      {"W", "kernel"}, {"b", "bias"}, {"running_mean", "moving_mean"}, {"running_std", "moving_variance"}};
  const auto known = modern.find(role);
  return known == modern.end() ? role : std::string(known->second);
}

/// The layout of `.h5` files: a group for each layer of the model, whose attributes list the weights.
class LayerGroups {
 public:
  LayerGroups(Store& store, std::string root, const std::string& file, const std::vector<PlacedLayer>& layers)
      : store_(store), root_(std::move(root)), file_(file) {
    for (const PlacedLayer& layer : layers) inside_[layer.path.front()].push_back(&layer);
  }

  NamedTensors tensors() {
    NamedTensors made;
    Names missing;  // the first few
    std::size_t all = 0;
    std::set<std::string> seen;
    for (const std::string& layer : store_.list(root_, "layer_names")) {
      // A short list that names one layer again and again would cost its weights each time.
      if (!seen.insert(layer).second) corrupt(file_, text("it lists the layer ", shown(layer), " twice"));
      const std::string group = below(root_, layer);
      const Names weights = store_.list(group, "weight_names");
      const bool one_layer = is_one_layer(weights);
      for (const std::string& weight : weights) {
        const std::string path = below(group, weight);
        if (store_.has(path))
          made.push_back(store_.take(path, name_of(layer, weight, one_layer)));
        else if (++all <= most_shown)
          missing.push_back(shown(path));
      }
    }
    if (all > 0)
      corrupt(
          file_,
          text(all, " of the weights that it lists are not there or listed twice: ", join(missing, ", ")));
    return made;
  }

 private:
  static constexpr std::size_t most_shown = 20;
  static bool is_one_layer(const Names& weights) {
    std::set<std::string> lasts, scopes;
    for (const std::string& weight : weights) {
      const std::size_t slash = weight.rfind('/');
      scopes.insert(slash == std::string::npos ? "" : weight.substr(0, slash));
      lasts.insert(slash == std::string::npos ? weight : weight.substr(slash + 1));
    }
    return scopes.size() == 1 && lasts.size() == weights.size();
  }

  std::string name_of(const std::string& layer, const std::string& weight, bool one_layer) const {
    Names parts = split(weight, '/');
    const std::string last = parts.back();
    parts.pop_back();
    const auto known = inside_.find(layer);
    if (known == inside_.end()) {  // no structure is known
      if (one_layer) return below(layer, role_of(last, layer));
      if (!parts.empty() && parts.front() == layer) parts.erase(parts.begin());
      const std::string inner = parts.empty() ? "" : parts.back();
      return below(below(layer, join(parts, "/")), role_of(last, inner));
    }
    const PlacedLayer& placed = nearest(known->second, parts);
    std::string role = role_of(last, placed.path.back());
    if (role == "kernel" && keras::class_of(*placed.layer) == "DepthwiseConv2D") role = "depthwise_kernel";
    return below(join(placed.path, "/"), role);
  }

  /// The layer whose path has the longest end in common with the scopes of the weight's name.
  static const PlacedLayer& nearest(const std::vector<const PlacedLayer*>& layers, const Names& scopes) {
    const PlacedLayer* best = layers.front();
    std::ptrdiff_t most = 0;
    for (const PlacedLayer* layer : layers) {
      const auto differ =
          std::mismatch(layer->path.rbegin(), layer->path.rend(), scopes.rbegin(), scopes.rend());
      const std::ptrdiff_t common = differ.first - layer->path.rbegin();
      if (common > most) best = layer;
      most = std::max(most, common);
    }
    return *best;
  }

  Store& store_;
  std::string root_;
  const std::string& file_;
  std::map<std::string, std::vector<const PlacedLayer*>> inside_;
};

/// "conv2d" and 3 of "conv2d_3"; "conv2d" and 0 of "conv2d".
std::pair<std::string, int> split_number(const std::string& group) {
  const std::size_t end = group.find_last_not_of("0123456789");
  int number = 0;
  if (end == std::string::npos || end + 1 == group.size() || group[end] != '_') return {group, 0};
  const char* last = group.data() + group.size();
  if (std::from_chars(group.data() + end + 1, last, number).ec != std::errc()) return {group, 0};
  return {group.substr(0, end), number};
}

/// The layout of `.keras` and `.weights.h5` files: groups named after classes, "layers/conv2d_1/vars/0", in
/// the order of the model's layers; a model inside a model has its own "layers".
class ClassGroups {
 public:
  ClassGroups(Store& store, const std::string& file) : store_(store), file_(file) {
    for (const auto& [path, array] : store_.arrays()) {
      // The states of random generators are no weights.
      if (path.find("seed_generator") == std::string::npos) note(split(path, '/'));
    }
  }

  NamedTensors tensors(const Json& model) {
    NamedTensors made;
    model_tensors(model, "", "", made);
    return made;
  }

  /// Without a structure: names from the groups' "name" attributes, roles from the classes.
  NamedTensors tensors() {
    NamedTensors made;
    for (const auto& [container, groups] : groups_)
      for (const auto& [kind, numbered] : groups)
        for (const auto& [number, group] : numbered) {
          const std::string vars = container + "/" + group + "/vars";
          const Names roles = roles_of(kind, vars);
          for (std::size_t i = 0; store_.has(text(vars, "/", i)); ++i)
            made.push_back(store_.take(text(vars, "/", i), below(named(container + "/" + group),
                                                                 i < roles.size() ? roles[i] : text(i))));
        }
    return made;
  }

 private:
  using Groups = std::map<std::string, std::map<int, std::string>>;  // class -> number -> group

  static bool is_container(const std::string& part) {
    return part == "layers" || part == "_layer_checkpoint_dependencies";
  }

  void note(const Names& parts) {
    std::string container;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      container = below(container, parts[i]);
      if (!is_container(parts[i])) continue;
      const auto [kind, number] = split_number(parts[i + 1]);
      groups_[container][kind].emplace(number, parts[i + 1]);
    }
  }

  void model_tensors(const Json& model, const std::string& place, const std::string& prefix,
                     NamedTensors& made) {
    std::map<std::string, std::vector<const Json*>> layers;
    for (const Json* layer : keras::layers_of(model))
      if (keras::is_model(*layer) ? has_weights(*layer) : !keras::weight_names(*layer).empty())
        layers[keras::snake_case(keras::class_of(*layer))].push_back(layer);
    for (const auto& [kind, list] : layers) {
      const auto [container, groups] = groups_of(place, kind);
      if (groups.size() != list.size())
        corrupt(file_,
                text("the structure has ", list.size(), " layers with weights of class ",
                     shown(keras::class_of(*list.front())), ", the weights are those of ", groups.size()));
      auto group = groups.begin();
      for (const Json* layer : list) {
        const std::string inner = container + "/" + (group++)->second;
        const std::string name = below(prefix, keras::name_of(*layer));
        if (keras::is_model(*layer))
          model_tensors(*layer, inner, name, made);
        else
          layer_tensors(*layer, inner + "/vars", name, made);
      }
    }
  }

  void layer_tensors(const Json& layer, const std::string& vars, const std::string& name,
                     NamedTensors& made) {
    const Names roles = keras::weight_names(layer);
    for (std::size_t i = 0; i < roles.size(); ++i) {
      const std::string path = text(vars, "/", i);
      if (!store_.has(path)) corrupt(file_, text(shown(name + "/" + roles[i]), " is missing (", path, ")"));
      made.push_back(store_.take(path, name + "/" + roles[i]));
    }
    if (store_.has(text(vars, "/", roles.size())))
      corrupt(file_, text(shown(name), " has more weights than its class"));
  }

  static bool has_weights(const Json& model) {
    return std::ranges::any_of(keras::all_layers(model, ""), [](const PlacedLayer& placed) {
      return !keras::weight_names(*placed.layer).empty();
    });
  }

  std::pair<std::string, std::map<int, std::string>> groups_of(const std::string& place,
                                                               const std::string& kind) const {
    for (const char* part : {"layers", "_layer_checkpoint_dependencies"}) {
      const auto container = groups_.find(below(place, part));
      if (container == groups_.end()) continue;
      const auto groups = container->second.find(kind);
      if (groups != container->second.end()) return {container->first, groups->second};
    }
    return {};
  }

  /// The names of the layers on the way to this group.
  std::string named(const std::string& group) const {
    std::string path, made;
    for (const std::string& part : split(group, '/')) {
      path = below(path, part);
      if (is_container(part)) continue;
      const std::string own = store_.one_text(path + "/vars", "name");
      made = below(made, own.empty() ? part : own);
    }
    return made;
  }

  Names roles_of(const std::string& kind, const std::string& vars) const {
    std::size_t number = 0;
    while (store_.has(text(vars, "/", number))) ++number;
    Names roles;
    for (const char* known : {"Conv2D", "Dense", "DepthwiseConv2D", "SeparableConv2D", "BatchNormalization"})
      if (keras::snake_case(known) == kind) roles = keras::weight_names(Json{{"class_name", known}});
    // A bias may be switched off; of a batch norm with three, nobody can say which one is missing.
    if (kind != "batch_normalization" && number + 1 == roles.size()) roles.pop_back();
    return number == roles.size() ? roles : Names{};
  }

  Store& store_;
  const std::string& file_;
  std::map<std::string, Groups> groups_;
};

void check_unique(const NamedTensors& tensors, const std::string& file) {
  std::set<std::string_view> names;
  for (const NamedTensor& tensor : tensors)
    if (!names.insert(tensor.name).second) corrupt(file, text("two tensors are called ", shown(tensor.name)));
}

KerasFile from_hdf5(std::span<const std::uint8_t> bytes, const std::string& file) {
  Store store(parse_hdf5(bytes, file));
  KerasFile made{.tensors = {},
                 .config = store.one_text("", "model_config"),
                 .version = store.one_text("", "keras_version")};
  const std::string root = store.has_list("model_weights", "layer_names") ? "model_weights" : "";
  if (made.version.empty()) made.version = store.one_text(root, "keras_version");
  if (store.has_list(root, "layer_names")) {
    const Json model = made.config.empty() ? Json() : keras::parse_json(made.config, file);
    made.tensors = LayerGroups(store, root, file, keras::all_layers(model, file)).tensors();
  } else {
    made.tensors = ClassGroups(store, file).tensors();
  }
  if (made.tensors.empty() && made.config.empty())
    throw Error(ErrorKind::unsupported,
                text(file, ": is an HDF5 file, but not one in which Keras keeps weights"));
  return made;
}

std::string text_entry(const ZipArchive& archive, const std::string& name) {
  const std::vector<std::uint8_t> bytes = archive.read(name, json_limit);
  return {bytes.begin(), bytes.end()};
}

KerasFile from_archive(std::span<const std::uint8_t> bytes, const std::string& file) {
  const ZipArchive archive(bytes, file);
  for (const char* part : {"config.json", "model.weights.h5"})
    if (!archive.has(part))
      throw Error(ErrorKind::unsupported,
                  text(file, ": is a zip archive without ", part, "; a .keras file has one"));
  KerasFile made{.tensors = {}, .config = text_entry(archive, "config.json"), .version = {}};
  const Json model = keras::parse_json(made.config, file);
  if (archive.has("metadata.json"))
    made.version =
        keras::text_at(keras::parse_json(text_entry(archive, "metadata.json"), file), "keras_version");
  // Keras packs nothing, and weights hardly can be: what grows more was made to fill our memory.
  constexpr std::uint64_t air = 16, spare = 16u << 20;
  const std::vector<std::uint8_t> weights =
      archive.read("model.weights.h5", std::min(weights_limit, air * bytes.size() + spare));
  keras::all_layers(model, file);  // throws where nested too deeply
  Store store(parse_hdf5(weights, file));
  made.tensors = ClassGroups(store, file).tensors(model);
  return made;
}

}  // namespace

KerasFile parse_keras(std::span<const std::uint8_t> bytes, const std::string& file) {
  const bool zip = bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K';
  if (!zip && !looks_like_hdf5(bytes))
    corrupt(file, "is neither HDF5 nor a zip archive, as Keras's files are");
  KerasFile made = zip ? from_archive(bytes, file) : from_hdf5(bytes, file);
  check_unique(made.tensors, file);
  return made;
}

KerasFile load_keras(const std::filesystem::path& path) {
  return parse_keras(read_file(path), path.string());
}

}  // namespace enxerto
