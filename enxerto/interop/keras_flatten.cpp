#include "enxerto/interop/keras_flatten.h"

#include <algorithm>
#include <map>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/interop/keras_calls.h"
#include "enxerto/weights/checks.h"

namespace enxerto::keras {
namespace {

constexpr std::size_t call_limit = 20'000;

class Flattener {
 public:
  explicit Flattener(const std::string& file) : file_(file) {}

  FlatModel run(const Json& model) {
    made_.input = input_sizes(model);
    made_.operations.push_back({.layer = &model, .kind = "InputLayer", .path = "input"});
    body(model, "", 0, true);
    return std::move(made_);
  }

 private:
  [[noreturn]] void fail(ErrorKind kind, const std::string& what) const {
    throw Error(kind, text(file_, ": ", what));
  }

  /// Adds the model's operations; the index of that which gives its output.
  int body(const Json& model, const std::string& path, int input, bool trainable) {
    trainable = trainable && flag_at(config_of(model), "trainable", true);
    return class_of(model) == "Sequential" ? chain(model, path, input, trainable)
                                           : network(model, path, input, trainable);
  }

  int chain(const Json& model, const std::string& path, int input, bool trainable) {
    for (const Json* layer : layers_of(model))
      if (class_of(*layer) != "InputLayer")
        input = step(*layer, path, {{.operation = input}}, trainable, false);
    return input;
  }

  int step(const Json& layer, const std::string& path, std::vector<Operand> inputs, bool trainable,
           bool shared) {
    const std::string own = path.empty() ? name_of(layer) : path + "/" + name_of(layer);
    if (is_model(layer)) {
      if (shared) fail(ErrorKind::unsupported, text("the model ", shown(own), " is used more than once"));
      if (inputs.size() != 1 || inputs[0].operation < 0)
        fail(ErrorKind::unsupported, text("the model ", shown(own), " has more than one input"));
      return body(layer, own, inputs[0].operation, trainable);
    }
    if (made_.operations.size() > call_limit)
      fail(ErrorKind::corrupt, text("more than ", call_limit, " layers"));
    made_.operations.push_back({.layer = &layer,
                                .kind = kind_of_layer(layer),
                                .path = own,
                                .inputs = std::move(inputs),
                                .trainable = trainable && flag_at(config_of(layer), "trainable", true),
                                .shared = shared});
    return static_cast<int>(made_.operations.size()) - 1;
  }

  static std::string kind_of_layer(const Json& layer) {
    const std::string kind = class_of(layer);
    if (kind == "TFOpLambda") return "tf:" + text_at(config_of(layer), "function");
    const std::string module = text_at(layer, "module");
    return module.starts_with("keras.src.ops") || module.starts_with("keras.ops") ? "op:" + kind : kind;
  }

  /// One call of one layer of a Functional model.
  struct Place {
    std::size_t layer = 0;
    Call call{};
    std::vector<std::size_t> sources{};  ///< of the call's entries; constants have none
    int made = -1;
    bool needed = false;
    std::size_t waits_for = 0;
    std::vector<std::size_t> consumers{};
  };
  struct Network {
    std::vector<const Json*> layers;
    std::map<std::string, std::vector<std::size_t>> places_of;  ///< layer -> its calls
    std::vector<Place> places;
    std::size_t output = 0;
  };

  int network(const Json& model, const std::string& path, int input, bool trainable) {
    Network net;
    net.layers = layers_of(model);
    const std::string where = path.empty() ? file_ : text(file_, ": model ", shown(path));
    for (std::size_t i = 0; i < net.layers.size(); ++i) note(net, i, where);
    const std::vector<Source> inputs = sources_at(config_of(model), "input_layers", where);
    const std::vector<Source> outputs = sources_at(config_of(model), "output_layers", where);
    if (inputs.size() != 1 || outputs.size() != 1)
      fail(ErrorKind::unsupported,
           text(path.empty() ? std::string("the model") : "the model " + shown(path), " has ", inputs.size(),
                " inputs and ", outputs.size(), " outputs; one of each is read"));
    const std::size_t first = place_of(net, inputs[0], where);
    net.output = place_of(net, outputs[0], where);
    mark_needed(net, where);
    net.places[first].made = input;
    return in_order(net, path, trainable, where);
  }

  void note(Network& net, std::size_t index, const std::string& where) {
    const Json& layer = *net.layers[index];
    const std::string name = name_of(layer);
    std::vector<Call> calls = calls_of(layer, text(where, ": layer ", shown(name)));
    if (calls.empty()) calls.emplace_back();
    auto [places, is_new] = net.places_of.try_emplace(name);
    if (!is_new) fail(ErrorKind::corrupt, text("two layers are called ", shown(name)));
    for (Call& call : calls) {
      places->second.push_back(net.places.size());
      if (net.places.size() == call_limit)
        fail(ErrorKind::corrupt, text("more than ", call_limit, " layers"));
      net.places.push_back({.layer = index, .call = std::move(call)});
    }
  }

  std::size_t place_of(const Network& net, const Source& source, const std::string& where) const {
    const auto found = net.places_of.find(source.layer);
    if (found == net.places_of.end())
      throw Error(ErrorKind::corrupt,
                  text(where, ": there is no layer ", shown(source.layer), ", whose output is used"));
    if (source.tensor != 0)
      throw Error(ErrorKind::unsupported,
                  text(where, ": layer ", shown(source.layer), " has more than one output"));
    const std::vector<std::size_t>& places = found->second;
    // A model counts its own building as a call in some versions, so 0 and 1 may mean the only one.
    if (places.size() == 1 && is_model(*net.layers[net.places[places[0]].layer])) return places[0];
    if (source.node < 0 || source.node >= static_cast<std::int64_t>(places.size()))
      throw Error(ErrorKind::corrupt, text(where, ": layer ", shown(source.layer), " is called ",
                                           places.size(), " times, call ", source.node, " is used"));
    return places[static_cast<std::size_t>(source.node)];
  }

  void mark_needed(Network& net, const std::string& where) const {
    std::vector<std::size_t> open{net.output};
    net.places[net.output].needed = true;
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      for (const Source& source : net.places[at].call) {
        if (source.constant) continue;
        const std::size_t from = place_of(net, source, where);
        net.places[at].sources.push_back(from);
        net.places[from].consumers.push_back(at);
        if (!net.places[from].needed) open.push_back(from);
        net.places[from].needed = true;
      }
    }
  }

  /// Each after its inputs, and otherwise as the file lists them.
  int in_order(Network& net, const std::string& path, bool trainable, const std::string& where) {
    std::set<std::size_t> ready;
    std::map<std::size_t, int> uses;
    for (std::size_t i = 0; i < net.places.size(); ++i) {
      if (!net.places[i].needed) continue;
      net.places[i].waits_for = net.places[i].sources.size();
      ++uses[net.places[i].layer];
      if (net.places[i].waits_for == 0) ready.insert(i);
    }
    while (!ready.empty()) {
      const std::size_t at = *ready.begin();
      ready.erase(ready.begin());
      make(net, net.places[at], path, trainable, uses[net.places[at].layer] > 1);
      for (const std::size_t consumer : net.places[at].consumers)
        if (--net.places[consumer].waits_for == 0) ready.insert(consumer);
    }
    if (net.places[net.output].made < 0)
      throw Error(ErrorKind::corrupt, text(where, ": its layers wait for each other in a circle"));
    return net.places[net.output].made;
  }

  void make(Network& net, Place& place, const std::string& path, bool trainable, bool shared) {
    if (place.made >= 0) return;  // the model's input
    const Json& layer = *net.layers[place.layer];
    if (place.call.empty())
      fail(class_of(layer) == "InputLayer" ? ErrorKind::unsupported : ErrorKind::corrupt,
           text("layer ", shown(name_of(layer)), " has no input"));
    std::vector<Operand> inputs;
    std::size_t next = 0;
    for (const Source& source : place.call)
      inputs.push_back(source.constant ? Operand{.constant = *source.constant}
                                       : Operand{.operation = net.places[place.sources[next++]].made});
    place.made = step(layer, path, std::move(inputs), trainable, shared);
  }

  // Sizes of the input: on the InputLayer, on the first layer of a Sequential model, or on the model.

  std::vector<std::int64_t> input_sizes(const Json& model) const {
    const std::vector<const Json*> layers = layers_of(model);
    if (layers.empty()) fail(ErrorKind::corrupt, "the model has no layers");
    const Json* first = layers.front();
    if (class_of(model) != "Sequential") {
      const std::vector<Source> inputs = sources_at(config_of(model), "input_layers", file_);
      const auto found = std::ranges::find_if(
          layers, [&](const Json* layer) { return !inputs.empty() && name_of(*layer) == inputs[0].layer; });
      if (found != layers.end()) first = *found;
    }
    for (const Json* place : {&config_of(*first), &config_of(model)})
      for (const char* key : {"batch_input_shape", "batch_shape", "build_input_shape"})
        if (const Json* shape = find(*place, key)) return sizes(*shape);
    if (is_model(*first)) return input_sizes(*first);
    fail(ErrorKind::unsupported, "the model does not say how large its input is");
  }

  std::vector<std::int64_t> sizes(const Json& shape) const {
    if (!shape.is_array() || shape.size() < 2 || shape.size() > 5)
      fail(ErrorKind::unsupported, "the input is neither pictures nor vectors");
    std::vector<std::int64_t> made;
    for (std::size_t i = 1; i < shape.size(); ++i) {
      if (!shape[i].is_null() && !shape[i].is_number_integer())
        fail(ErrorKind::corrupt, "the input's size is no size");
      made.push_back(shape[i].is_null() ? -1 : shape[i].get<std::int64_t>());
    }
    return made;
  }

  const std::string& file_;
  FlatModel made_;
};

}  // namespace

FlatModel flatten_model(const Json& model, const std::string& file) {
  if (!is_model(model))
    throw Error(ErrorKind::unsupported,
                text(file, ": the model is a ", shown(class_of(model)),
                     "; Sequential and Functional models are read. Write its weights with save_weights()"));
  all_layers(model, file);  // throws where models are nested too deeply, on which the recursion relies
  return Flattener(file).run(model);
}

}  // namespace enxerto::keras
