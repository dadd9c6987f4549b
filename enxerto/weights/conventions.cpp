#include "enxerto/weights/conventions.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Dims = std::vector<std::int64_t>;

// Under these a checkpoint keeps the weights, beside other things; what comes first is preferred.
constexpr std::array<std::string_view, 7> containers = {
    "state_dict.", "model_state_dict.", "net.", "network.", "weights.", "params.", "model."};
// Under these their mean over the steps of training, of which no optimizer goes on.
constexpr std::array<std::string_view, 6> averages = {"state_dict_ema.", "model_ema.", "ema_model.",
                                                      "params_ema.",     "ema.",       "swa_model."};
// Before every name: wrappers of parallel and compiled modules.
constexpr std::array<std::string_view, 4> wrappers = {"module.", "_orig_mod.", "model.", "net."};

bool all_start_with(const NamedTensors& tensors, std::string_view prefix) {
  return !tensors.empty() && std::ranges::all_of(tensors, [&](const NamedTensor& each) {
    return each.name.size() > prefix.size() && each.name.starts_with(prefix);
  });
}

void drop_prefix(NamedTensors& tensors, std::size_t length) {
  for (NamedTensor& tensor : tensors) tensor.name.erase(0, length);
}

/// What a training loop saves beside the weights.
bool is_training_state(std::string_view name) {
  return name.starts_with("optim") || name.starts_with("lr_scheduler") || name.starts_with("scheduler") ||
         name.starts_with("scaler") || name.starts_with("rng");
}

bool is_average(std::string_view name) {
  return std::ranges::any_of(averages, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// "best_acc", "epoch": a number that stands alone.
bool is_figure(const NamedTensor& tensor) {
  return tensor.name.find('.') == std::string::npos && tensor.value.shape().size() == 1;
}

/// Leaves nothing but what is in the container, without its name; false where it tells nothing.
bool take_out(NamedTensors& tensors, std::string_view container) {
  const auto inside = [&](const NamedTensor& each) { return each.name.starts_with(container); };
  // "model." may be a layer's own name: only beside what a training keeps does it tell anything.
  const bool tells = std::ranges::all_of(tensors, [&](const NamedTensor& each) {
    return inside(each) || is_average(each.name) || is_training_state(each.name) || is_figure(each);
  });
  const bool certain = container.find("state_dict") != std::string_view::npos;
  if ((!tells && !certain) || std::ranges::none_of(tensors, inside)) return false;
  std::erase_if(tensors, [&](const NamedTensor& each) { return !inside(each); });
  drop_prefix(tensors, container.size());
  return true;
}

/// Whether an average was left out for the weights themselves.
bool unwrap(NamedTensors& tensors) {
  std::erase_if(tensors, [](const NamedTensor& each) {
    return each.name.ends_with("num_batches_tracked") || each.name == "n_averaged" ||
           each.name.ends_with(".n_averaged");
  });
  const bool has_average =
      std::ranges::any_of(tensors, [](const NamedTensor& each) { return is_average(each.name); });
  const auto take = [&](std::string_view container) { return take_out(tensors, container); };
  const bool is_plain = std::ranges::any_of(containers, take);
  if (!is_plain) std::ranges::any_of(averages, take);
  for (bool again = true; std::exchange(again, false);)
    for (const std::string_view wrapper : wrappers)
      if (all_start_with(tensors, wrapper)) drop_prefix(tensors, wrapper.size()), again = true;
  return is_plain && has_average;
}

/// The tensor with its sizes in another order: size k of the new one was size `from[k]`.
Tensor permuted(const Tensor& tensor, const Dims& dims, const std::vector<std::size_t>& from) {
  Dims strides(dims.size(), 1), made_dims;
  for (std::size_t k = dims.size(); k-- > 1;) strides[k - 1] = strides[k] * dims[k];
  for (const std::size_t k : from) made_dims.push_back(dims[k]);
  Tensor made(shape_of(made_dims));
  Dims at(dims.size(), 0);
  for (float& value : made.data()) {
    std::int64_t place = 0;
    for (std::size_t k = 0; k < from.size(); ++k) place += at[k] * strides[from[k]];
    value = tensor.data()[static_cast<std::size_t>(place)];
    for (std::size_t k = from.size(); k-- > 0;) {
      if (++at[k] < made_dims[k]) break;
      at[k] = 0;
    }
  }
  return made;
}

void permute(NamedTensor& tensor, const std::vector<std::size_t>& from) {
  tensor.value = permuted(tensor.value, tensor.dims, from);
  Dims dims;
  for (const std::size_t k : from) dims.push_back(tensor.dims[k]);
  tensor.dims = std::move(dims);
}

void redim(NamedTensor& tensor, Dims dims) {
  Tensor value(shape_of(dims));
  std::ranges::copy(tensor.value.data(), value.data().begin());
  tensor.value = std::move(value);
  tensor.dims = std::move(dims);
}

// ---- Keras

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> keras_endings = {
    {{"/kernel", ".weight"},
     {"/depthwise_kernel", ".weight"},
     {"/pointwise_kernel", ".pointwise.weight"},
     {"/bias", ".bias"},
     {"/gamma", ".weight"},
     {"/beta", ".bias"},
     {"/moving_mean", ".running_mean"},
     {"/moving_variance", ".running_var"}}};

bool is_keras(const NamedTensors& tensors) {
  return !tensors.empty() && std::ranges::all_of(tensors, [](const NamedTensor& each) {
    return std::ranges::any_of(keras_endings,
                               [&](const auto& ending) { return each.name.ends_with(ending.first); });
  });
}

void from_keras(NamedTensor& tensor) {
  const bool depthwise = tensor.name.ends_with("/depthwise_kernel");
  const bool kernel = depthwise || tensor.name.ends_with("kernel");
  if (kernel && tensor.dims.size() == 2) permute(tensor, {1, 0});
  if (kernel && tensor.dims.size() == 4) {
    if (depthwise) {
      permute(tensor, {2, 3, 0, 1});  // each channel's filters lie together, as groups have them
      redim(tensor, {tensor.dims[0] * tensor.dims[1], 1, tensor.dims[2], tensor.dims[3]});
    } else {
      permute(tensor, {3, 2, 0, 1});
    }
  }
  for (const auto& [theirs, ours] : keras_endings)
    if (tensor.name.ends_with(theirs)) {
      tensor.name.replace(tensor.name.size() - theirs.size(), theirs.size(), ours);
      return;
    }
}

// ---- Caffe

/// "res2a_branch1.0": the layer and the number of its blob; -1 where it is no blob.
std::pair<std::string, int> blob_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  const bool is_blob = dot != std::string::npos && dot > 0 && dot + 2 == name.size() && name.back() >= '0' &&
                       name.back() <= '2';
  return {name.substr(0, dot), is_blob ? name.back() - '0' : -1};
}

bool is_caffe(const NamedTensors& tensors) {
  return !tensors.empty() &&
         std::ranges::all_of(tensors, [](const NamedTensor& each) { return blob_of(each.name).second >= 0; });
}

void from_caffe(NamedTensors& tensors) {
  std::unordered_map<std::string, float> factors;  // of batch norms
  for (const NamedTensor& tensor : tensors)
    if (const auto [layer, blob] = blob_of(tensor.name); blob == 2 && tensor.value.data().size() == 1)
      factors.emplace(layer, tensor.value.data()[0]);
  std::erase_if(tensors, [](const NamedTensor& each) {
    return blob_of(each.name).second == 2 && each.value.data().size() == 1;
  });
  for (NamedTensor& tensor : tensors) {
    const auto [layer, blob] = blob_of(tensor.name);
    if (const auto factor = factors.find(layer); factor != factors.end()) {
      // Caffe keeps sums and what they are to be divided by; zero: nothing was summed up.
      const float share = factor->second == 0 ? 0.0f : 1.0f / factor->second;
      for (float& value : tensor.value.data()) value *= share;
      tensor.name = layer + (blob == 0 ? ".running_mean" : ".running_var");
      continue;
    }
    const std::string norm = layer.starts_with("scale") ? "bn" + layer.substr(5) : "";
    tensor.name = (factors.contains(norm) ? norm : layer) + (blob == 0 ? ".weight" : ".bias");
  }
}

}  // namespace

const char* convention_name(Convention convention) {
  switch (convention) {
    case Convention::torch:
      return "PyTorch";
    case Convention::keras:
      return "Keras";
    case Convention::caffe:
      return "Caffe";
  }
  return "";
}

ConventionalWeights to_our_convention(NamedTensors tensors, const std::string& where) {
  ConventionalWeights made;
  made.leaves_average = unwrap(tensors);
  if (is_keras(tensors)) {
    made.convention = Convention::keras;
    for (NamedTensor& tensor : tensors) from_keras(tensor);
  } else if (is_caffe(tensors)) {
    made.convention = Convention::caffe;
    from_caffe(tensors);
  }
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& tensor : tensors)
    if (!names.insert(tensor.name).second)
      throw Error(ErrorKind::corrupt, text(where, ": two tensors mean \"", tensor.name, "\""));
  made.tensors = std::move(tensors);
  return made;
}

}  // namespace enxerto
