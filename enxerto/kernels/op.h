/// Op: one layer made ready for fixed shapes. Kernels make them, the executor runs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/kernels/layout.h"

namespace enxerto {

/// What an Op is planned for. `in` are the layouts that the producers offer, batch in n.
struct PlanArgs {
  std::vector<Layout> in;
  bool train = false;           ///< batch statistics, dropout
  std::vector<bool> wants_din;  ///< per input: its gradient will be asked for; empty: none
  bool wants_dparams = false;   ///< the gradients of trainable parameters will be asked for
  bool reference = false;       ///< the slow twin in double, layouts plain
  bool bf16 = false;            ///< a convolution may take and make bf16
  bool wants(std::size_t input) const { return input < wants_din.size() && wants_din[input]; }
  bool backward() const {
    for (const bool wanted : wants_din)
      if (wanted) return true;
    return wants_dparams;
  }
};

/// What the executor has to know of an Op to give it memory. All sizes in floats.
struct OpInfo {
  std::vector<Layout> in;            ///< layouts that it takes; reordered to by the executor
  Layout out;                        ///< layout that it makes
  std::vector<std::int64_t> params;  ///< packed size of each parameter
  std::vector<bool> keeps_in;        ///< per input: backward reads it
  bool keeps_out = false;            ///< backward reads the output
  std::int64_t saved = 0;            ///< what forward leaves for backward
  std::int64_t forward_scratch = 0, backward_scratch = 0;
  int in_place = -1;               ///< forward may write its output over this input
  bool in_place_required = false;  ///< ... and has to
  int din_in_place = -1;           ///< backward may write this input's gradient over dout
  bool rebuilds = false;           ///< rebuild() is there, and costs no more than a pass over memory
  std::string implementation;      ///< for profiles and for the test that no Op falls into slow loops
  std::int64_t multiply_adds = 0;  ///< of the forward pass
};

/// Owns kernels, never parameters or activations; all memory comes from the caller, 64-byte aligned, in
/// the layouts and sizes of info(). Forward and backward write every element of every output (padding
/// channels as zero) and never read its old content. Not for two threads at once; threads inside.
class Op {
 public:
  struct Forward {
    std::span<const float* const> in;
    std::span<float* const> params;
    float* out = nullptr;
    float* saved = nullptr;
    float* scratch = nullptr;
    Rng rng{};  ///< new for each node and step; the same in forward and backward
  };
  struct Backward {
    std::span<const float* const> in;  ///< null where info().keeps_in is false
    std::span<float* const> params;
    const float* out = nullptr;  ///< null where info().keeps_out is false
    const float* dout = nullptr;
    std::span<float* const> din;  ///< null: not wanted
    /// Packed as the parameters are; null: not wanted. Those of trainable parameters are wanted all together
    /// or not at all.
    std::span<float* const> dparams;
    float* saved = nullptr;
    float* scratch = nullptr;
    Rng rng{};
  };

  virtual ~Op() = default;
  const OpInfo& info() const { return info_; }
  virtual void forward(const Forward&) = 0;
  virtual void backward(const Backward&);  ///< unless overridden: a broken promise
  /// Writes out anew, bit for bit what forward wrote, from in and from what forward left in saved; nothing
  /// else changes. So an output need not be kept for the backward pass where the inputs are.
  virtual void rebuild(const Forward&);  ///< unless overridden: a broken promise

  /// Between a parameter as files have it and as the kernels want it. Unless overridden a copy.
  virtual void pack(int param, std::span<const float> plain, std::span<float> packed) const;
  virtual void unpack(int param, std::span<const float> packed, std::span<float> plain) const;

 protected:
  OpInfo info_;
};

}  // namespace enxerto
