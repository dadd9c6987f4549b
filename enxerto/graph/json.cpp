#include "enxerto/graph/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Json = nlohmann::json;

constexpr int format_version = 1;
constexpr std::size_t most_nodes = 10000, longest_name = 255, longest_list = 16;
constexpr std::int64_t largest_option = 1 << 24;

constexpr std::array<std::pair<Activation, const char*>, 10> activation_names = {
    {{Activation::none, "none"},
     {Activation::relu, "relu"},
     {Activation::relu6, "relu6"},
     {Activation::leaky_relu, "leaky_relu"},
     {Activation::sigmoid, "sigmoid"},
     {Activation::tanh, "tanh"},
     {Activation::hard_sigmoid, "hard_sigmoid"},
     {Activation::hard_swish, "hard_swish"},
     {Activation::silu, "silu"},
     {Activation::exp, "exp"}}};

[[noreturn]] void fail(const std::string& where, std::string_view wrong) {
  throw Error(ErrorKind::corrupt, text("network: ", where, ": ", wrong));
}

Json to_json(bool value) { return value; }
Json to_json(int value) { return value; }
Json to_json(float value) {
  // The shortest digits that make this float: 1e-05 and not 9.999999747378752e-06.
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  double read = 0;
  std::from_chars(digits.begin(), end, read);
  return static_cast<float>(read) == value ? read : static_cast<double>(value);
}
Json to_json(const Size2& value) { return Json::array({value.h, value.w}); }
Json to_json(const Padding& value) {
  if (value.same) return "same";
  return Json::array({value.top, value.left, value.bottom, value.right});
}
Json to_json(const std::vector<int>& values) { return values; }
Json to_json(Activation value) {
  return std::ranges::find(activation_names, value, &std::pair<Activation, const char*>::first)->second;
}

int int_from(const Json& json, const std::string& where) {
  if (!json.is_number_integer()) fail(where, "a whole number was expected");
  const bool huge = json.is_number_unsigned() && json.get<std::uint64_t>() > largest_option;
  if (huge || json.get<std::int64_t>() < 0)
    fail(where, text("a number between 0 and ", largest_option, " was expected"));
  return json.get<int>();
}

std::vector<int> ints_from(const Json& json, std::size_t count, const std::string& where) {
  if (!json.is_array() || json.size() != count)
    fail(where, text("a list of ", count, " numbers was expected"));
  std::vector<int> values;
  for (const Json& value : json) values.push_back(int_from(value, where));
  return values;
}

void from_json(const Json& json, const std::string& where, std::vector<int>& values) {
  if (!json.is_array() || json.size() > longest_list)
    fail(where, text("a list of at most ", longest_list, " numbers was expected"));
  values = ints_from(json, json.size(), where);
}
void from_json(const Json& json, const std::string& where, bool& value) {
  if (!json.is_boolean()) fail(where, "true or false was expected");
  value = json.get<bool>();
}
void from_json(const Json& json, const std::string& where, int& value) { value = int_from(json, where); }
void from_json(const Json& json, const std::string& where, float& value) {
  if (!json.is_number()) fail(where, "a number was expected");
  const auto read = json.get<double>();
  if (!(std::abs(read) <= std::numeric_limits<float>::max())) fail(where, "the number is too large");
  value = static_cast<float>(read);
}
void from_json(const Json& json, const std::string& where, Size2& value) {
  const auto sizes = ints_from(json, 2, where);
  value = {sizes[0], sizes[1]};
}
void from_json(const Json& json, const std::string& where, Padding& value) {
  if (json == "same") {
    value = Padding::same_as_tensorflow();
    return;
  }
  const auto sides = ints_from(json, 4, where);
  value = {sides[0], sides[1], sides[2], sides[3]};
}
void from_json(const Json& json, const std::string& where, Activation& value) {
  for (const auto& [known, name] : activation_names) {
    if (json != name) continue;
    value = known;
    return;
  }
  fail(where, "no such activation");
}

template <class L>
Json options_to_json(const L& layer) {
  Json options = Json::object();
  std::apply([&](const auto&... each) { ((options[each.name] = to_json(layer.*each.member)), ...); },
             L::fields);
  return options;
}

template <class L>
L layer_from_json(const Json& options, const std::string& where) {
  L layer;
  std::size_t read = 0;
  const auto take = [&](const auto& each) {
    const auto found = options.find(each.name);
    if (found == options.end()) return;
    from_json(*found, text(where, ", ", each.name), layer.*each.member);
    ++read;
  };
  std::apply([&](const auto&... each) { (take(each), ...); }, L::fields);
  if (read == options.size()) return layer;
  for (const auto& option : options.items()) {
    const std::string& key = option.key();
    const bool known =
        std::apply([&](const auto&... each) { return ((key == each.name) || ...); }, L::fields);
    if (!known) fail(where, text("a ", L::kind, " has no option \"", key, "\""));
  }
  return layer;
}

/// Walks the list of layers for the one of this kind.
template <std::size_t I = 0>
AnyLayer any_layer_from_json(const std::string& kind, const Json& options, const std::string& where) {
  if constexpr (I == std::variant_size_v<AnyLayer>) {
    fail(where, text("there is no layer of the kind \"", kind, "\""));
  } else {
    using L = std::variant_alternative_t<I, AnyLayer>;
    if (kind == L::kind) return layer_from_json<L>(options, where);
    return any_layer_from_json<I + 1>(kind, options, where);
  }
}

/// Throws where a layer has others inside, as programs have them that only answer.
void check_is_plain(const AnyLayer& layer, std::size_t inputs, const std::string& where) {
  const auto* const conv = std::get_if<Conv2d>(&layer);
  const auto* const linear = std::get_if<Linear>(&layer);
  if ((conv && (conv->activation != Activation::none || inputs > 1)) ||
      (linear && linear->activation != Activation::none))
    fail(where,
         "it has an activation or a sum inside, which in a file stand behind it as layers of their own");
}

/// Throws unless `json` is an object with these keys and no others.
void check_keys(const Json& json, std::span<const std::string_view> needed,
                std::span<const std::string_view> allowed, const std::string& where) {
  if (!json.is_object()) fail(where, "an object was expected");
  for (const std::string_view key : needed)
    if (!json.contains(key)) fail(where, text("\"", key, "\" is missing"));
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(needed, key) == needed.end() && std::ranges::find(allowed, key) == allowed.end())
      fail(where, text("\"", key, "\" is not known"));
}

std::string name_from(const Json& json, const std::string& where) {
  if (!json.is_string()) fail(where, "the name has to be text");
  auto name = json.get<std::string>();
  const auto control = [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F;
  };
  if (name.empty() || name.size() > longest_name || std::ranges::any_of(name, control))
    fail(where, "the name is empty, too long or not printable");
  return name;
}

}  // namespace

Json graph_to_json(const Graph& graph) {
  Json nodes = Json::array();
  for (const Node& node : graph.nodes()) {
    Json inputs = Json::array();
    for (const NodeId id : node.inputs) inputs.push_back(id.index);
    Json made = {{"name", node.name}, {"kind", kind_of(node.layer)}, {"inputs", std::move(inputs)}};
    made["options"] = std::visit([](const auto& layer) { return options_to_json(layer); }, node.layer);
    if (node.frozen) made["frozen"] = true;
    nodes.push_back(std::move(made));
  }
  Json made = {{"version", format_version}, {"nodes", std::move(nodes)}};
  for (const NodeId id : graph.side_outputs()) made["side_outputs"].push_back(id.index);
  return made;
}

Graph graph_from_json(const Json& json, std::int64_t most_parameters) {
  static constexpr std::array<std::string_view, 2> graph_keys = {"version", "nodes"};
  static constexpr std::array<std::string_view, 1> more_graph_keys = {"side_outputs"};
  static constexpr std::array<std::string_view, 3> node_keys = {"name", "kind", "inputs"};
  static constexpr std::array<std::string_view, 2> more_node_keys = {"options", "frozen"};
  if (!json.is_object() || !json.contains("version")) fail("version", "it is missing");
  if (const int version = int_from(json["version"], "version"); version != format_version)
    throw Error(ErrorKind::unsupported, text("network: it has the format ", version, ", this program reads ",
                                             format_version, "; use a newer enxerto"));
  check_keys(json, graph_keys, more_graph_keys, "network");
  const Json& nodes = json["nodes"];
  if (!nodes.is_array() || nodes.empty()) fail("nodes", "a list of nodes was expected");
  if (nodes.size() > most_nodes) fail("nodes", text("there are more than ", most_nodes));

  Graph graph;
  double parameters = 0;
  for (std::size_t place = 0; place < nodes.size(); ++place) {
    const Json& node = nodes[place];
    std::string where = text("node ", place);
    check_keys(node, node_keys, more_node_keys, where);
    const std::string name = name_from(node["name"], where);
    where += text(" \"", name, "\"");
    if (!node["kind"].is_string()) fail(where, "the kind has to be text");
    const Json options = node.value("options", Json::object());
    if (!options.is_object()) fail(where, "the options have to be an object");
    const AnyLayer layer = any_layer_from_json(node["kind"].get<std::string>(), options, where);

    if (!node["inputs"].is_array()) fail(where, "the inputs have to be a list");
    std::vector<NodeId> inputs;
    std::vector<Shape> shapes;
    for (const Json& input : node["inputs"]) {
      const int index = int_from(input, text(where, ", inputs"));
      if (static_cast<std::size_t>(index) >= place) fail(where, "its inputs have to stand before it");
      inputs.push_back({index});
      shapes.push_back(graph.node({index}).out);
    }
    try {
      check_is_plain(layer, shapes.size(), where);
      out_shape(layer, shapes);  // throws where the options make no sense, before anything is counted
      for (const ParamSpec& spec : param_specs(layer, shapes))
        parameters += static_cast<double>(spec.shape.n) * static_cast<double>(spec.shape.c) *
                      static_cast<double>(spec.shape.h) * static_cast<double>(spec.shape.w);
      if (!(parameters <= static_cast<double>(most_parameters)))
        fail(where, text("up to here there are ", parameters, " parameters, more than there can be"));
      const NodeId made = graph.add(name, layer, std::move(inputs));
      if (const auto found = node.find("frozen"); found != node.end()) {
        bool frozen = false;
        from_json(*found, text(where, ", frozen"), frozen);
        graph.set_frozen(made, frozen);
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::corrupt) throw;
      fail(text("node ", place), error.what());
    }
  }
  if (const auto found = json.find("side_outputs"); found != json.end()) {
    if (!found->is_array() || found->size() > most_nodes)
      fail("side_outputs", "a list of nodes was expected");
    std::vector<NodeId> ids;
    for (const int index : ints_from(*found, found->size(), "side_outputs")) ids.push_back({index});
    try {
      graph.set_side_outputs(std::move(ids));
    } catch (const Error& error) {
      fail("side_outputs", error.what());
    }
  }
  return graph;
}

}  // namespace enxerto
