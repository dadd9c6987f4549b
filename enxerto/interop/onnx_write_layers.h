/// Each layer in operators of ONNX. For this folder only.
#pragma once

#include <span>

#include "enxerto/interop/onnx_emit.h"

namespace enxerto::onnx {

/// The oldest set of operators that has all that we write (HardSwish is of 14), and the version of the format
/// that came with it, so that old runtimes read our files too.
constexpr std::int64_t written_opset = 14, written_ir = 7;

/// Between Emitter::begin() and end(): the node's value from those of its inputs.
Written write_layer(Emitter& emit, const Node& node, std::span<const Written> in);

// In onnx_write_moves.cpp.
Written write_rearrange(Emitter& emit, const Rearrange& layer, const Written& in);
Written write_adaptive_pool(Emitter& emit, const AdaptiveAvgPool2d& layer, const Written& in);

}  // namespace enxerto::onnx
