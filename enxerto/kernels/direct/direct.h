/// Direct convolutions of our own for AVX-512, where loads and not multiplications decide: depthwise ones of
/// 5x5, and the first one of a network, whose input has few channels. The vectors lie along the output's
/// channels; rows of the input are copied with their padding, once each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "enxerto/kernels/op.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::direct {

/// Whether conv() can run this on this chip, and is expected to be faster than oneDNN there: inference in
/// float, with no residual. A function of sizes and chip alone, so the same run gives the same bits.
bool suits(const ConvSpec& spec, const PlanArgs& args);

/// The forward pass alone.
std::unique_ptr<Op> conv(const ConvSpec& spec, const PlanArgs& args);

/// Channels that the kernels make at a time.
struct Group {
  std::int64_t channel = 0;   ///< the first, counted with padding
  std::int64_t x = 0, y = 0;  ///< where it starts within one picture's map
  int width = 0;              ///< 16 or 8
};

/// A convolution of maps in layouts of one block, whose channels `groups` divide up. Weights lie
/// [group][in.c / spec.groups][kernel_h][kernel_w][width of the group]; a bias has a number for each channel
/// that groups have.
struct Call {
  const ConvSpec* spec = nullptr;
  std::span<const Group> groups;
  std::int64_t x_step = 0, y_step = 0;  ///< floats from a pixel to the next
  std::int64_t x_size = 0, y_size = 0;  ///< floats of one picture's maps
  const float* x = nullptr;
  const float* weights = nullptr;
  const float* bias = nullptr;  ///< null: none
  float* y = nullptr;
  float* scratch = nullptr;  ///< scratch_size() floats
  int threads = 1;           ///< that the scratch is for
};

/// The bits of no answer depend on the number of threads.
struct Kernels {
  /// One channel a group; 5x5, strides 1 and 2.
  void (*depthwise)(const Call& call);
  /// Of few channels in planes (x_step 1), which all groups read; 3x3, strides 1 and 2.
  void (*of_few_channels)(const Call& call);
  /// Floats of scratch that either needs with so many threads.
  std::int64_t (*scratch_size)(const ConvSpec& spec, int threads);
};

/// Null where this chip has none.
const Kernels* kernels();

}  // namespace enxerto::direct
