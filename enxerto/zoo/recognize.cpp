#include "enxerto/zoo/recognize.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/zoo/sources.h"

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

/// Outputs of the head that the file has for the net; the net's own where it has none.
int classes_in(const Graph& graph, const Index& index, const Alias* alias, int usual) {
  const Node& head = head_of(graph);
  const Param& weight = graph.params()[static_cast<std::size_t>(head.params[0])];
  const auto found = index.find(foreign_name(head, weight, alias));
  if (found == index.end()) return usual;
  // By count, as Caffe may have ones before the sizes.
  const std::int64_t size = found->second->value.shape().size();
  const std::int64_t each = weight.spec.shape.size() / weight.spec.shape.n;
  constexpr std::int64_t most = 100'000;
  return size >= each && size % each == 0 && size / each <= most ? static_cast<int>(size / each) : usual;
}

/// Whether it only prepares features for the layers behind it.
bool belongs_to_head(const Node& node) {
  return std::holds_alternative<GlobalAvgPool>(node.layer) ||
         std::holds_alternative<AdaptiveAvgPool2d>(node.layer) ||
         std::holds_alternative<Flatten>(node.layer) || std::holds_alternative<Dropout>(node.layer);
}

std::size_t at(NodeId id) { return static_cast<std::size_t>(id.index); }

/// The last node of which everything before it has its weights in the file, where the file's tensors reach no
/// further; empty where it is no such trunk. The trunk ends with a feature map, before it is pooled away.
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
    whole[i] = !lacking.contains(node.name) &&
               std::ranges::all_of(node.inputs, [&](NodeId id) { return whole[at(id)]; });
    if (!whole[i]) break;  // what stands behind it in the graph would only be a branch of something
    end = i;
    params_before_end += node.params.size();
  }
  while (end > 0 && belongs_to_head(graph.nodes()[end])) end = at(graph.nodes()[end].inputs[0]);
  // All that fits has to belong to the trunk, or this is another net.
  return end > 0 && used > 0 && params_before_end == used ? graph.nodes()[end].name : "";
}

Graph make(const NetInfo& net, const std::optional<Shape>& image, int classes) {
  return net.make(image.value_or(net.image), classes, true);
}

Match match(const NetInfo& net, const Graph& usual, const Index& index, const Alias* alias,
            const std::optional<Shape>& image) {
  Match made;
  made.net = &net;
  if (alias)
    made.program = alias->program, made.doubt = alias->doubt, made.batch_norm_eps = alias->batch_norm_eps;
  made.normalization = alias ? alias->normalization : net.normalization;
  made.classes = classes_in(usual, index, alias, net.classes);
  Graph other;
  if (made.classes != net.classes) other = make(net, image, made.classes);
  const Graph& graph = made.classes != net.classes ? other : usual;

  std::unordered_set<std::string_view> used;
  for_each_param(graph, index, alias, [&](const Node&, const Param& param, const NamedTensor* tensor) {
    made.missing += !tensor || !holds(*tensor, param.spec);
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
  const auto is_dispensable = [&](const std::string& name) {
    return std::ranges::any_of(dispensable_prefixes(net.name),
                               [&](std::string_view prefix) { return name.starts_with(prefix); });
  };
  std::vector<std::string> left_over;
  for (const auto& [name, tensor] : index)
    if (!used.contains(name)) (is_dispensable(name) ? made.unused : left_over).push_back(name);
  if (left_over.empty() && made.fitting == static_cast<int>(used.size()) && !made.problems.empty()) {
    made.cut = trunk_end(graph, index, alias);
    if (!made.cut.empty()) made.problems.clear(), made.missing = 0;
  }
  made.left_over = static_cast<int>(left_over.size());
  for (const std::string& name : left_over) made.problems.push_back(text(name, " is left over"));
  std::ranges::sort(made.unused);
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

std::vector<Match> best_of(const std::vector<Match>& matches) {
  std::vector<Match> fitting;
  std::ranges::copy_if(matches, std::back_inserter(fitting), &Match::fits);
  const auto prefer = [&](auto wanted) {
    if (std::ranges::any_of(fitting, wanted))
      std::erase_if(fitting, [&](const Match& each) { return !wanted(each); });
  };
  prefer([](const Match& each) { return each.cut.empty(); });
  prefer([](const Match& each) { return each.unused.empty(); });
  prefer([](const Match& each) { return !sources_of(each.net->name).empty(); });
  return fitting;
}

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

namespace {

/// Copies what fits into the parameters' places: place(param) gives each one's.
template <class Place>
void take(const Match& match, const Graph& graph, const ConventionalWeights& weights, Place place) {
  const std::vector<Alias> aliases = aliases_of(match.net->name);
  const Index index = index_of(weights.tensors);
  for_each_param(graph, index, alias_of(match, aliases),
                 [&](const Node& node, const Param& param, const NamedTensor* tensor) {
                   if (!tensor || !holds(*tensor, param.spec)) return;
                   const std::span<float> values = place(param);
                   std::ranges::copy(tensor->value.data(), values.begin());
                   // What was a convolution over all pixels has been put in our order already.
                   if (weights.convention == Convention::keras &&
                       std::holds_alternative<Linear>(node.layer) && param.spec.role == Role::weight &&
                       tensor->dims.size() == 2)
                     reorder_columns(values, param.spec.shape.n, flattened_shape(graph, node));
                 });
}

void check_fits(const Match& match, const std::optional<Shape>& image, const std::string& where) {
  if (match.fits()) return;
  const std::string size = image ? text(" for pictures of ", image->h, "x", image->w) : "";
  throw Error(ErrorKind::corrupt, text(where, ": these are not the weights of ", match.net->name, size, ": ",
                                       list(match.problems)));
}

}  // namespace

NamedTensors adopt(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where) {
  if (strict) check_fits(match, image, where);
  NamedTensors made;
  take(match, make(*match.net, image, match.classes), weights, [&](const Param& param) {
    const Shape& shape = param.spec.shape;
    const std::array<std::int64_t, 4> sizes = {shape.n, shape.c, shape.h, shape.w};
    made.push_back({param.name, {sizes.begin(), sizes.begin() + param.spec.rank}, Tensor(shape)});
    return made.back().value.data();
  });
  return made;
}

Graph make_matched(const Match& match, const ConventionalWeights& weights, const std::optional<Shape>& image,
                   bool strict, const std::string& where) {
  if (strict || match.fitting == 0) check_fits(match, image, where);
  Graph graph = make(*match.net, image, match.classes);
  if (match.batch_norm_eps) graph = rebuilt(graph, {.batch_norm_eps = match.batch_norm_eps});
  take(match, graph, weights, [&](const Param& param) {
    return graph.params()[static_cast<std::size_t>(&param - graph.params().data())].value.data();
  });
  if (!match.cut.empty()) graph.cut_after(match.cut);
  return graph;
}

}  // namespace enxerto
