/// What the gradients of each layer look like, and the faults that show in it: layers that learn nothing or
/// too much, filters that are all the same, filters that are dead.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "enxerto/graph/executor.h"

namespace enxerto {

/// A layer with weights, after a backward pass and before the step that follows it.
struct LayerSigns {
  std::string name;
  double grad_norm = 0;  ///< 2-norm of the gradient by all its parameters, of the loss without penalties
  double norm = 0;       ///< 2-norm of the parameters
  /// Filters (rows of a matrix) of its weights, one for each output; those that are copies of another, but
  /// for 1 % of their norm, as kernels need not add up all rows in one order and rounding drives copies
  /// apart; and those whose gradient is zero throughout, as behind a ReLU that lets no picture of the batch
  /// through. All 0 where there is one filter, and where there are more than 2^22 numbers, which would take
  /// too long.
  std::int64_t filters = 0, equal = 0, still = 0;
  friend bool operator==(const LayerSigns&, const LayerSigns&) = default;
};

/// In the order of the network; layers without weights, such as batch norm, are left out.
std::vector<LayerSigns> layer_signs(const Executor& executor);

enum class FaultKind {
  equal,      ///< half the filters or more are copies of others: they get the same gradient and stay so
  dead,       ///< half the filters or more have no gradient
  vanishing,  ///< the gradient is smaller than that of another layer by a factor of 10^5 or more
  exploding,  ///< its norm is 1000 or more
};
std::string_view name_of(FaultKind kind);

struct LayerFault {
  FaultKind kind = FaultKind::equal;
  std::string layer;  ///< of several with the same fault the first
  std::int64_t layers = 1;
  friend bool operator==(const LayerFault&, const LayerFault&) = default;
};

/// At most one of each kind. `step` is how many steps lie behind (before the first, filters may well start as
/// zeros), `batch` how many pictures made the gradient: of less than four, dropout alone can leave filters
/// without one.
std::vector<LayerFault> find_faults(std::span<const LayerSigns> layers, std::int64_t step, int batch);

/// What is wrong and what to do about it, in a sentence for people.
std::string format_fault(const LayerFault& fault);

/// As in log.jsonl (docs/formats/run-folder.md).
nlohmann::json layers_to_json(std::span<const LayerSigns> layers);
std::vector<LayerSigns> layers_from_json(const nlohmann::json& json,
                                         const std::string& where);  ///< strict
nlohmann::json faults_to_json(std::span<const LayerFault> faults);

}  // namespace enxerto
