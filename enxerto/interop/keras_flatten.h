/// A Keras model's structure as one list of operations, models inside models laid open.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enxerto/weights/keras_config.h"

namespace enxerto::keras {

/// What an operation is given: another's output, or a number written in the structure.
struct Operand {
  int operation = -1;
  double constant = 0;  ///< where operation is -1
};

struct Operation {
  const Json* layer = nullptr;  ///< into the parsed structure
  std::string kind{};           ///< its class; of a function as a layer, "tf:math.add" or "op:Multiply"
  std::string path{};           ///< "conv1", in a model inside a model "base/conv1"
  std::vector<Operand> inputs{};
  bool trainable = true;  ///< false where it or a model around it is not
  bool shared = false;    ///< called more than once
};

/// Only what the output needs, each after its inputs; the first is the picture, the last the output. The
/// picture's sizes as the structure has them are in `input`, without the batch, -1 where left open.
struct FlatModel {
  std::vector<Operation> operations;
  std::vector<std::int64_t> input;
};

/// Throws Error naming `file`: corrupt where the structure contradicts itself, unsupported where there is
/// more than one input or output.
FlatModel flatten_model(const Json& model, const std::string& file);

}  // namespace enxerto::keras
