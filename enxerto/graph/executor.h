/// Executor: runs a graph for one batch size.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// A trainable parameter and its gradient, both in the order that the kernels chose (padding holds zeros,
/// and stays zero under any rule that maps (0, 0) to 0). What is elementwise or a sum does not care.
struct Update {
  std::string_view name;
  std::span<float> value;
  std::span<const float> grad;
  bool decays = true;
};

/// Which outputs a training step computes anew in its backward pass instead of keeping them for it. The bits
/// are the same.
enum class Recompute {
  nothing,
  /// Those of batch norm and of activations, where their inputs are there anyway: a quarter less memory in
  /// ResNets for one or two percent of the time.
  passes,
  /// All within blocks, by a second forward pass through each (recompute_blocks() in recompute.h): for deep
  /// networks; shallow ones may need more than with passes. The reference keeps everything.
  blocks,
};

struct ExecutorConfig {
  int batch = 1;
  bool train = false;      ///< plans the backward pass for what is not frozen
  bool reference = false;  ///< the slow twins in double, nothing fused (also ENXERTO_KERNELS=reference)
  bool lower = true;       ///< fold and fuse; false runs the graph as it is written
  /// Convolutions, and the batch norm and activations between them, take and make bfloat16; products and
  /// statistics are added up in float, and parameters that are trained, their gradients and updates are float
  /// (mixed precision: Micikevicius et al. 2018; bfloat16 needs no scaling of the loss: Kalamkar et al.
  /// 2019). Where the chip has no such arithmetic (has_bf16()) everything stays float.
  bool bf16 = false;
  Recompute recompute = Recompute::passes;  ///< with train
  bool side_outputs = false;  ///< compute the graph's side outputs too; else what only they need is left out
  /// With train: gradients go on through what is frozen, down to the images, and those of the images and of
  /// side outputs are kept. A network that is frozen whole answers as in inference and can be asked how its
  /// answer depends on its values.
  bool input_gradient = false;
  std::uint64_t seed = 0;  ///< of dropout
};

/// Whether this chip has arithmetic for ExecutorConfig::bf16.
bool has_bf16();
/// Throws Error{unsupported} where it has not: emulated, it would crawl.
void require_bf16();

/// One step of the plan, for profiles and tests.
struct StepProfile {
  std::string node, kind, implementation;
  bool backward = false;
  double seconds = 0;  ///< sum over all runs so far
  std::int64_t runs = 0;
  std::int64_t multiply_adds = 0;  ///< of one run
  /// What one run has to read and write at least: each operand and each answer once.
  std::int64_t bytes = 0;
  std::int64_t live_bytes = 0;  ///< of memory_bytes(), what holds something during the step
};

/// All memory and kernels are made here, none later. Takes a copy of the graph's parameters, packed as the
/// kernels want them; store() brings them back, and the graph need not outlive it.
class Executor {
 public:
  Executor(const Graph& graph, const ExecutorConfig& config);
  /// The same of a graph that nobody needs any more: its values go as they are packed, so that they take
  /// memory only once.
  Executor(Graph&& graph, const ExecutorConfig& config);
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;

  /// images {batch, c, h, w}; the answer {batch, ...} is valid until the next call. `step` numbers the
  /// training steps: dropout is a function of (seed, step, node). With ENXERTO_CHECK_FINITE=1 throws
  /// Error{diverged} at the first node whose output is not finite.
  ConstView forward(ConstView images, std::int64_t step = 0);
  /// Side output k of the last forward(), valid until backward() or the next forward(), which use its memory
  /// again; made with ExecutorConfig::side_outputs.
  ConstView side_output(std::size_t k) const;
  /// The gradient of the loss by the last forward()'s output, and by each of its side outputs where those are
  /// computed. Stops where everything below is frozen.
  void backward(ConstView dout, std::span<const ConstView> side_douts = {});
  /// By the images, and by side output k, of the last backward(), valid until the next; made with
  /// ExecutorConfig::input_gradient. What side_douts gave is in it.
  ConstView input_gradient() const;
  ConstView side_gradient(std::size_t k) const;
  /// Trainable parameters, in graph order. The spans stay valid as long as the executor.
  std::span<const Update> updates() const;

  void load(const Graph& graph);   ///< takes over the values of a graph of the same structure
  void store(Graph& graph) const;  ///< gives back trainable parameters and running statistics

  /// A parameter-like block (a momentum, a gradient) of update i, between the kernels' order and that of
  /// files.
  Tensor unpack(std::size_t update, std::span<const float> packed) const;
  void pack(std::size_t update, ConstView plain, std::span<float> packed) const;

  int batch() const;
  std::int64_t memory_bytes() const;         ///< activations, gradients and scratch: the planned arena
  std::int64_t param_bytes() const;          ///< packed parameters and their gradients
  std::vector<StepProfile> profile() const;  ///< in the order of running
  /// The first node whose output of the last forward(), or parameter, is not finite; empty: none. Runs
  /// the last batch again.
  std::string find_not_finite(ConstView images, std::int64_t step);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace enxerto
