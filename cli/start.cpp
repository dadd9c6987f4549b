#include "cli/start.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/zoo/recognize.h"

namespace enxerto::cli {
namespace {

/// The first few of them.
std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 4;
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), shown)));
  return join(first, ", ") + (names.size() > shown ? text(" and ", names.size() - shown, " more") : "");
}

/// Where each of `classes` stands among the file's; empty: they are not the same names.
std::vector<std::size_t> match(const std::vector<std::string>& classes,
                               const std::vector<std::string>& of_file) {
  std::vector<std::size_t> places;
  if (classes.size() != of_file.size()) return places;
  for (const std::string& name : classes) {
    const auto found = std::ranges::find(of_file, name);
    if (found == of_file.end()) return {};
    places.push_back(static_cast<std::size_t>(found - of_file.begin()));
  }
  return places;
}

void copy_rows(const Tensor& from, Tensor& to, const std::vector<std::size_t>& places) {
  const std::size_t row = to.data().size() / places.size();
  for (std::size_t i = 0; i < places.size(); ++i)
    std::ranges::copy(from.data().subspan(places[i] * row, row),
                      to.data().begin() + static_cast<std::ptrdiff_t>(i * row));
}

}  // namespace

StartWeights load_start_weights(const ModelFlags& flags) {
  const std::string file = find_model(flags.path).string();
  StartWeights weights{
      .file = file, .tensors = {}, .graph = {}, .preprocess = {}, .batch_norm_eps = {}, .classes = {}};
  if (!flags.net.empty() && !holds_network(file)) {
    // Not strictly: another head is what one expects, and apply_start_weights() tells what else does not fit.
    const NetInfo& net = find_net(flags.net);
    const ConventionalWeights bare = load_weights(file);
    const Match match = match_net(net, bare).front();
    weights.tensors = adopt(match, bare, std::nullopt, false, file);
    if (match.program.empty())
      for (const NamedTensor& tensor : bare.tensors)
        if (!find_tensor(weights.tensors, tensor.name))
          weights.tensors.push_back({tensor.name, tensor.dims, tensor.value.clone()});
    const Normalization normalization =
        flags.preprocess.empty() ? match.normalization : parse_normalization(flags.preprocess);
    weights.preprocess = preprocess_of(net, normalization);
    weights.batch_norm_eps = match.batch_norm_eps;
    return weights;
  }
  ModelFlags whole = flags;
  whole.net.clear();
  Pretrained loaded = load(whole);
  weights.tensors = loaded.model.graph.state();
  weights.classes = loaded.model.classes;
  if (flags.net.empty()) weights.graph = with_linear_head(loaded.model);
  if (loaded.model.preprocess.is_null()) return weights;
  try {
    weights.preprocess = Preprocess::from_json(loaded.model.preprocess);
  } catch (const Error& error) {
    throw Error(error.kind(), text(weights.file, ": ", error.what()));
  }
  return weights;
}

std::vector<std::string> apply_start_weights(Graph& graph, const StartWeights& weights,
                                             const std::vector<std::string>& classes) {
  const Node& head = head_of(graph);
  const auto params = graph.params();
  std::set<int> of_head(head.params.begin(), head.params.end());
  std::vector<std::string> missing, misshapen;
  std::set<std::string> used;
  bool head_is_there = true, head_fits = true;
  for (int i = 0; i < static_cast<int>(params.size()); ++i) {
    Param& param = params[static_cast<std::size_t>(i)];
    const NamedTensor* found = find_tensor(weights.tensors, param.name);
    const bool fits = found && found->value.shape() == param.spec.shape;
    if (found) used.insert(found->name);
    if (of_head.contains(i)) {
      head_is_there = head_is_there && found;
      head_fits = head_fits && fits;
    } else if (!found) {
      missing.push_back(param.name);
    } else if (!fits) {
      misshapen.push_back(text(param.name, " is ", format_shape(found->value.shape()), " there and ",
                               format_shape(param.spec.shape), " in the network"));
    } else {
      std::ranges::copy(found->value.data(), param.value.data().begin());
    }
  }
  if (!missing.empty() || !misshapen.empty())
    throw Error(ErrorKind::unsupported,
                text(weights.file, ": these are not the weights of this network: ",
                     missing.empty() ? "" : text("it has no ", list(missing)),
                     missing.empty() || misshapen.empty() ? "" : "; ",
                     misshapen.empty() ? "" : list(misshapen), "; give the --net that it was made with"));

  std::vector<std::string> notes;
  const std::string starts_anew = text("the head \"", head.name, "\" starts anew: ");
  std::vector<std::size_t> places;
  if (!head_is_there) {
    notes.push_back(text(starts_anew, weights.file, " has none"));
  } else if (!weights.classes.empty() && (places = match(classes, weights.classes)).empty()) {
    notes.push_back(text(starts_anew, "the data have other classes than ", weights.file));
  } else if (!head_fits) {
    notes.push_back(text(starts_anew, "it has another shape in ", weights.file));
  } else {
    for (const int i : head.params) {
      Param& param = params[static_cast<std::size_t>(i)];
      const Tensor& value = find_tensor(weights.tensors, param.name)->value;
      if (places.empty())
        std::ranges::copy(value.data(), param.value.data().begin());
      else
        copy_rows(value, param.value, places);
    }
  }
  std::vector<std::string> left;
  for (const NamedTensor& tensor : weights.tensors)
    if (!used.contains(tensor.name) && !tensor.name.ends_with(".num_batches_tracked"))
      left.push_back(tensor.name);
  if (!left.empty()) notes.push_back(text("not used of ", weights.file, ": ", list(left)));
  return notes;
}

}  // namespace enxerto::cli
