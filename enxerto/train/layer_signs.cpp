#include "enxerto/train/layer_signs.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "enxerto/core/text.h"
#include "enxerto/train/fields_json.h"

namespace enxerto {
namespace {

constexpr std::int64_t most_numbers = std::int64_t{1} << 22;
constexpr double vanishing_factor = 1e-5, exploding_norm = 1e3;
constexpr int least_batch = 4;
constexpr double copy_distance = 1e-2;  // by the norm of the larger

double sum_of_squares(std::span<const float> values) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < values.size(); ++i) sum += static_cast<double>(values[i]) * values[i];
  return sum;
}

std::string layer_of(std::string_view parameter) {
  const std::size_t dot = parameter.rfind('.');
  return std::string(parameter.substr(0, dot == std::string_view::npos ? parameter.size() : dot));
}

/// Rows of a tensor, one for each n.
std::span<const float> row(const Tensor& tensor, std::int64_t i) {
  const auto length = static_cast<std::size_t>(tensor.shape().size() / tensor.shape().n);
  return tensor.data().subspan(static_cast<std::size_t>(i) * length, length);
}

bool are_near(std::span<const float> a, std::span<const float> b, double distance) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    if (sum > distance * distance) return false;
  }
  return true;
}

/// Rows that are near another one that was there before. Norms of near ones are near: only those are
/// compared.
std::int64_t count_copies(const Tensor& weights) {
  std::vector<std::pair<double, std::span<const float>>> rows, others;
  for (std::int64_t i = 0; i < weights.shape().n; ++i)
    rows.emplace_back(std::sqrt(sum_of_squares(row(weights, i))), row(weights, i));
  std::ranges::sort(rows, {}, [](const auto& each) { return each.first; });
  for (const auto& [norm, values] : rows) {
    const double distance = copy_distance * norm;
    bool copy = false;
    for (auto other = others.rbegin(); !copy && other != others.rend(); ++other) {
      if (norm - other->first > distance) break;
      copy = are_near(values, other->second, distance);
    }
    if (!copy) others.emplace_back(norm, values);
  }
  return std::ssize(rows) - std::ssize(others);
}

void count_filters(const Tensor& weights, const Tensor& gradient, LayerSigns& signs) {
  signs.filters = weights.shape().n;
  signs.equal = count_copies(weights);
  for (std::int64_t i = 0; i < signs.filters; ++i)
    signs.still += std::ranges::all_of(row(gradient, i), [](float g) { return g == 0; });
}

/// Of the layers that have it, the first and how many.
template <class Has>
void add_fault(std::span<const LayerSigns> layers, FaultKind kind, std::vector<LayerFault>& faults,
               const Has& has) {
  const auto first = std::ranges::find_if(layers, has);
  if (first != layers.end())
    faults.push_back({.kind = kind, .layer = first->name, .layers = std::ranges::count_if(layers, has)});
}

}  // namespace

std::vector<LayerSigns> layer_signs(const Executor& executor) {
  std::vector<LayerSigns> layers;
  const auto updates = executor.updates();
  std::set<std::string> with_weights;
  for (const Update& update : updates)
    if (update.decays) with_weights.insert(layer_of(update.name));
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const Update& update = updates[i];
    const std::string name = layer_of(update.name);
    if (!with_weights.contains(name)) continue;
    if (layers.empty() || layers.back().name != name) layers.push_back({.name = name});
    LayerSigns& signs = layers.back();
    signs.grad_norm = std::hypot(signs.grad_norm, std::sqrt(sum_of_squares(update.grad)));
    signs.norm = std::hypot(signs.norm, std::sqrt(sum_of_squares(update.value)));
    if (!update.decays || static_cast<std::int64_t>(update.value.size()) > most_numbers) continue;
    const Tensor weights = executor.unpack(i, update.value);
    if (weights.shape().n > 1) count_filters(weights, executor.unpack(i, update.grad), signs);
  }
  return layers;
}

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::equal:
      return "equal";
    case FaultKind::dead:
      return "dead";
    case FaultKind::vanishing:
      return "vanishing";
    case FaultKind::exploding:
      return "exploding";
  }
  return "";
}

std::vector<LayerFault> find_faults(std::span<const LayerSigns> layers, std::int64_t step, int batch) {
  std::vector<LayerFault> faults;
  if (layers.empty() || step < 1) return faults;
  const double largest = std::ranges::max(layers, {}, &LayerSigns::grad_norm).grad_norm;
  add_fault(layers, FaultKind::equal, faults,
            [](const LayerSigns& each) { return each.filters > 1 && 2 * each.equal >= each.filters; });
  if (batch >= least_batch)
    add_fault(layers, FaultKind::dead, faults,
              [](const LayerSigns& each) { return each.filters > 1 && 2 * each.still >= each.filters; });
  add_fault(layers, FaultKind::vanishing, faults, [&](const LayerSigns& each) {
    return each.grad_norm > 0 && each.grad_norm <= vanishing_factor * largest;
  });
  add_fault(layers, FaultKind::exploding, faults,
            [](const LayerSigns& each) { return each.grad_norm >= exploding_norm; });
  return faults;
}

std::string format_fault(const LayerFault& fault) {
  const std::string where = fault.layers == 1
                                ? text("layer \"", fault.layer, "\": ")
                                : text(fault.layers, " layers, the first \"", fault.layer, "\": ");
  switch (fault.kind) {
    case FaultKind::equal:
      return where +
             "half the filters or more are copies of one another and will stay so; start with random "
             "weights (--init he_normal)";
    case FaultKind::dead:
      return where +
             "half the filters or more get no gradient, dead behind their ReLU; lower --lr, and begin "
             "anew";
    case FaultKind::vanishing:
      return where +
             "the gradient vanishes: it is 100,000 times smaller than another layer's; use --init "
             "he_normal, batch norm, or ReLU in place of sigmoid and tanh";
    case FaultKind::exploding:
      return where +
             "the gradient explodes: its norm is 1,000 or more; lower --lr, or clip the gradients "
             "(--clip 1)";
  }
  return where;
}

Json layers_to_json(std::span<const LayerSigns> layers) {
  Json json = Json::array();
  for (const LayerSigns& each : layers) {
    json.push_back({{"name", each.name}, {"grad_norm", each.grad_norm}, {"norm", each.norm}});
    if (each.filters > 0)
      json.back().update({{"filters", each.filters}, {"equal", each.equal}, {"still", each.still}});
  }
  return json;
}

std::vector<LayerSigns> layers_from_json(const Json& json, const std::string& where) {
  std::vector<LayerSigns> layers;
  if (!json.is_array()) fail_json(where, "a list was expected");
  for (const Json& each : json) {
    LayerSigns signs;
    ObjectReader reader(each, where);
    reader.read("name", signs.name);
    reader.read("grad_norm", signs.grad_norm);
    reader.read("norm", signs.norm);
    if (reader.has("filters")) {
      reader.read("filters", signs.filters);
      reader.read("equal", signs.equal);
      reader.read("still", signs.still);
    }
    reader.finish();
    layers.push_back(signs);
  }
  return layers;
}

Json faults_to_json(std::span<const LayerFault> faults) {
  Json json = Json::array();
  for (const LayerFault& each : faults)
    json.push_back({{"kind", name_of(each.kind)}, {"layer", each.layer}, {"layers", each.layers}});
  return json;
}

}  // namespace enxerto
