/// The calls of a layer, as the structure of a Functional model lists them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enxerto/weights/keras_config.h"

namespace enxerto::keras {

/// "The output of call `node` of layer `layer`", or a number.
struct Source {
  std::string layer{};
  std::int64_t node = 0, tensor = 0;
  std::optional<double> constant{};
};
using Call = std::vector<Source>;

/// One entry of "inbound_nodes" after the other: lists in Keras 2, objects with args and kwargs in Keras 3.
/// Throws Error{corrupt} that opens with `where`.
std::vector<Call> calls_of(const Json& layer, const std::string& where);

/// An argument of a layer's calls that changes what a function of one tensor does; empty where there is none.
std::string unusual_option(const Json& layer);

/// "input_layers" or "output_layers": one source or a list of them.
std::vector<Source> sources_at(const Json& config, std::string_view key, const std::string& where);

}  // namespace enxerto::keras
