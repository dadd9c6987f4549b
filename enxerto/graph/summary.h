/// What a network is made of, counted: `enxerto summary`.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// Keras counts the running statistics of batch norm as parameters that are not trained; PyTorch calls
/// them buffers and does not count them.
enum class SummaryStyle { torch, keras };

/// One layer. `multiply_adds` are those of convolutions and linear layers for one picture: each weight is
/// used once per pixel of the output. Biases, activations, pooling and normalisation do not count.
/// `activation_bytes` are those of the output for one picture; what a plan really needs, the executor knows.
struct SummaryRow {
  std::string name, kind;
  Shape output;
  std::int64_t parameters = 0, trainable = 0, multiply_adds = 0, activation_bytes = 0;
};

struct Summary {
  std::vector<SummaryRow> layers;
  std::int64_t parameters = 0, trainable = 0, non_trainable = 0, multiply_adds = 0;
};

Summary summarize(const Graph& graph, SummaryStyle style = SummaryStyle::torch);

/// A table for people, one line a layer and the totals below.
std::string format_summary(const Summary& summary);
/// "output" is [c, h, w].
nlohmann::json summary_to_json(const Summary& summary);

}  // namespace enxerto
