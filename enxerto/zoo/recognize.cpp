#include "enxerto/zoo/recognize.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Dims = std::vector<std::int64_t>;
using Index = std::unordered_map<std::string, const NamedTensor*>;

Index index_of(const NamedTensors& tensors) {
  Index index;
  for (const NamedTensor& tensor : tensors) index.emplace(tensor.name, &tensor);
  return index;
}

Dims without_ones(const Dims& dims) {
  Dims made;
  std::ranges::copy_if(dims, std::back_inserter(made), [](std::int64_t size) { return size != 1; });
  return made;
}

/// The same numbers in the same order: a 1x1 convolution as a linear layer or the other way round, the
/// filters of a depthwise convolution as {1, c, h, w}, a linear layer on pixels as a convolution over all of
/// them.
bool holds(const NamedTensor& tensor, const ParamSpec& spec) {
  const Shape& want = spec.shape;
  if (without_ones(tensor.dims) == without_ones({want.n, want.c, want.h, want.w})) return true;
  const bool linear = spec.rank == 2 && !tensor.dims.empty() && tensor.dims[0] == want.n;
  return linear && tensor.value.shape().size() == want.size();
}

/// What the file calls a parameter of the graph.
std::string foreign_name(const Node& node, const Param& param, const Alias* alias) {
  if (!alias) return param.name;
  const auto found = alias->names.find(node.name);
  return (found == alias->names.end() ? node.name : found->second) + "." + param.spec.name;
}

/// Walks a graph's parameters beside the file's tensors: visit(node, param, tensor or null).
template <class Visit>
void for_each_param(const Graph& graph, const Index& index, const Alias* alias, Visit visit) {
  for (const Node& node : graph.nodes())
    for (const int place : node.params) {
      const Param& param = graph.params()[static_cast<std::size_t>(place)];
      const auto found = index.find(foreign_name(node, param, alias));
      visit(node, param, found == index.end() ? nullptr : found->second);
    }
}

const Node* head_of(const Graph& graph) {
  for (std::size_t i = graph.nodes().size(); i-- > 0;)
    if (!graph.nodes()[i].params.empty()) return &graph.nodes()[i];
  return nullptr;
}

/// Outputs of the head that the file has for the net; the net's own where it has none.
int classes_in(const Graph& graph, const Index& index, const Alias* alias, int usual) {
  const Node* head = head_of(graph);
  if (!head) return usual;
  const Param& weight = graph.params()[static_cast<std::size_t>(head->params[0])];
  const auto found = index.find(foreign_name(*head, weight, alias));
  if (found == index.end() || found->second->dims.empty()) return usual;
  const std::int64_t rows = found->second->dims[0];
  return rows >= 1 && rows <= 100'000 ? static_cast<int>(rows) : usual;
}

/// The last node of which everything before it has its weights in the file, where the file's tensors reach no
/// further; empty where it is no such trunk.
std::string trunk_end(const Graph& graph, const Index& index, const Alias* alias) {
  std::vector<bool> whole(graph.nodes().size(), true);
  std::unordered_set<std::string_view> lacking;
  std::size_t used = 0;
  for_each_param(graph, index, alias, [&](const Node& node, const Param&, const NamedTensor* tensor) {
    tensor ? static_cast<void>(++used) : static_cast<void>(lacking.insert(node.name));
  });
  std::size_t end = 0, params_before_end = 0;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    whole[i] = !lacking.contains(node.name) && std::ranges::all_of(node.inputs, [&](NodeId id) {
      return whole[static_cast<std::size_t>(id.index)];
    });
    if (!whole[i]) break;  // what stands behind it in the graph would only be a branch of something
    end = i;
    params_before_end += node.params.size();
  }
  // Everything in the file has to belong to the trunk, or this is another net.
  return end > 0 && used > 0 && params_before_end == used && used == index.size() ? graph.nodes()[end].name
                                                                                  : "";
}

Graph make(const NetInfo& net, const std::optional<Shape>& image, int classes) {
  return net.make(image.value_or(net.image), classes, true);
}

Match match(const NetInfo& net, const Graph& usual, const Index& index, const Alias* alias,
            const std::optional<Shape>& image) {
  Match made;
  made.net = &net;
  if (alias) made.program = alias->program;
  made.normalization = alias ? alias->normalization : net.normalization;
  made.classes = classes_in(usual, index, alias, net.classes);
  Graph other;
  if (made.classes != net.classes) other = make(net, image, made.classes);
  const Graph& graph = made.classes != net.classes ? other : usual;

  std::unordered_set<std::string_view> used;
  for_each_param(graph, index, alias, [&](const Node&, const Param& param, const NamedTensor* tensor) {
    if (!tensor) {
      made.problems.push_back(text(param.name, " is missing"));
      return;
    }
    used.insert(tensor->name);
    if (holds(*tensor, param.spec)) {
      ++made.fitting;
    } else {
      std::vector<std::string> sizes;
      for (const std::int64_t size : tensor->dims) sizes.push_back(text(size));
      made.problems.push_back(
          text(tensor->name, " is {", join(sizes, ","), "}, the net wants ", format_shape(param.spec.shape)));
    }
  });
  if (made.fitting == static_cast<int>(index.size()) && !made.problems.empty()) {
    made.cut = trunk_end(graph, index, alias);
    if (!made.cut.empty()) made.problems.clear();
  }
  for (const auto& [name, tensor] : index)
    if (!used.contains(name)) made.problems.push_back(text(name, " is left over"));
  std::ranges::sort(made.problems);
  return made;
}

/// Most fitting tensors first; of those with as many, the fewest problems.
bool is_better(const Match& a, const Match& b) {
  if (a.fits() != b.fits()) return a.fits();
  if (a.fits() && a.cut.empty() != b.cut.empty()) return a.cut.empty();
  if (a.fitting != b.fitting) return a.fitting > b.fitting;
  return a.problems.size() < b.problems.size();
}

/// Keras flattens {h, w, c}, we flatten {c, h, w}: the columns of a linear layer behind it, put in our order.
void reorder_columns(std::span<float> weight, std::int64_t rows, const Shape& in) {
  const std::int64_t pixels = in.h * in.w, columns = in.c * pixels;
  std::vector<float> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto from =
        weight.subspan(static_cast<std::size_t>(r * columns), static_cast<std::size_t>(columns));
    for (std::int64_t c = 0; c < in.c; ++c)
      for (std::int64_t p = 0; p < pixels; ++p)
        row[static_cast<std::size_t>(c * pixels + p)] = from[static_cast<std::size_t>(p * in.c + c)];
    std::ranges::copy(row, from.begin());
  }
}

/// What a linear layer's features were before they were flattened.
Shape flattened_shape(const Graph& graph, const Node& linear) {
  const Node* from = &graph.node(linear.inputs[0]);
  while (std::holds_alternative<Flatten>(from->layer) || std::holds_alternative<Dropout>(from->layer))
    from = &graph.node(from->inputs[0]);
  return from->out;
}

const Alias* alias_of(const Match& match, const std::vector<Alias>& aliases) {
  const auto found = std::ranges::find(aliases, match.program, &Alias::program);
  return match.program.empty() ? nullptr : &*found;
}

std::string list(const std::vector<std::string>& problems) {
  constexpr std::size_t shown = 40;
  if (problems.size() <= shown) return join(problems, "; ");
  return join({problems.begin(), problems.begin() + shown}, "; ") +
         text("; and ", problems.size() - shown, " more");
}

}  // namespace

std::vector<Match> match_net(const NetInfo& net, const ConventionalWeights& weights,
                             const std::optional<Shape>& image) {
  const Index index = index_of(weights.tensors);
  const Graph usual = make(net, image, net.classes);
  std::vector<Match> matches{match(net, usual, index, nullptr, image)};
  for (const Alias& alias : aliases_of(net.name))
    if (alias.convention == weights.convention) matches.push_back(match(net, usual, index, &alias, image));
  std::ranges::stable_sort(matches, is_better);
  return matches;
}

std::vector<Match> match_zoo(const ConventionalWeights& weights) {
  std::vector<Match> matches;
  for (const NetInfo& net : nets()) {
    Match best = match_net(net, weights).front();
    if (best.fitting > 0) matches.push_back(std::move(best));
  }
  std::ranges::stable_sort(matches, is_better);
  return matches;
}

NamedTensors adopt(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where) {
  if (strict && !match.fits())
    throw Error(ErrorKind::corrupt,
                text(where, ": these are not the weights of ", match.net->name, ": ", list(match.problems)));
  const std::vector<Alias> aliases = aliases_of(match.net->name);
  const Alias* alias = alias_of(match, aliases);
  const Index index = index_of(weights.tensors);
  const Graph graph = make(*match.net, image, match.classes);
  NamedTensors made;
  for_each_param(graph, index, alias, [&](const Node& node, const Param& param, const NamedTensor* tensor) {
    if (!tensor || !holds(*tensor, param.spec)) return;
    const Shape& shape = param.spec.shape;
    const std::array<std::int64_t, 4> sizes = {shape.n, shape.c, shape.h, shape.w};
    NamedTensor copy{param.name, {sizes.begin(), sizes.begin() + param.spec.rank}, Tensor(shape)};
    std::ranges::copy(tensor->value.data(), copy.value.data().begin());
    if (weights.convention == Convention::keras && std::holds_alternative<Linear>(node.layer) &&
        param.spec.role == Role::weight)
      reorder_columns(copy.value.data(), shape.n, flattened_shape(graph, node));
    made.push_back(std::move(copy));
  });
  return made;
}

Graph make_matched(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where) {
  const NamedTensors adopted = adopt(match, weights, image, strict, where);
  Graph graph = make(*match.net, image, match.classes);
  if (!match.cut.empty()) graph.cut_after(match.cut);
  for (Param& param : graph.params())
    if (const NamedTensor* tensor = find_tensor(adopted, param.name))
      std::ranges::copy(tensor->value.data(), param.value.data().begin());
  return graph;
}

}  // namespace enxerto
