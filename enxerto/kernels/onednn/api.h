/// The one place that knows oneDNN's two C++ interfaces, 2.x and 3.x, and its memory descriptors.
#pragma once

#include <dnnl.hpp>
#include <optional>
#include <string>
#include <utility>

#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/spec.h"

namespace enxerto::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

const dnnl::engine& engine();
dnnl::stream& stream();

inline dnnl::memory::data_type type_of(bool bf16) {
  return bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}
inline Desc any(const Dims& dims, bool bf16 = false) {
  return {dims, type_of(bf16), dnnl::memory::format_tag::any};
}
inline Desc tagged(const Dims& dims, dnnl::memory::format_tag tag, bool bf16 = false) {
  return {dims, type_of(bf16), tag};
}

/// A primitive descriptor, made as this version wants it.
template <class Primitive, class... Args>
typename Primitive::primitive_desc make_pd(const dnnl::primitive_attr& attr, Args&&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), std::forward<Args>(args)..., attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(std::forward<Args>(args)...), attr,
                                            engine());
#endif
}

/// The same for a backward pass; `hint` is the forward one's.
template <class Primitive, class Hint, class... Args>
typename Primitive::primitive_desc make_backward_pd(const dnnl::primitive_attr& attr, const Hint& hint,
                                                    Args&&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), std::forward<Args>(args)..., hint, attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(std::forward<Args>(args)...), attr,
                                            engine(), hint);
#endif
}

/// Appends what can follow a convolution or inner product at no cost. False where oneDNN has no such
/// post-operation; nothing is appended then.
bool append_activation(dnnl::post_ops& ops, const ActivationSpec& spec);

/// Caller's scratch memory, nothing allocated inside.
dnnl::primitive_attr user_scratchpad();

/// Our Layout as a descriptor, and back; nothing where it is an order that we have no word for.
Desc desc_of(const Layout& layout);
std::optional<Layout> layout_of(const Desc& desc, const Shape& shape);

/// Floats that a block of this description takes, rounded up to a cache line.
std::int64_t floats(const Desc& desc);

/// A memory object whose pointer is set before each run.
class Memory {
 public:
  Memory() = default;
  explicit Memory(const Desc& desc) : memory_(desc, engine(), nullptr), desc_(desc) {}
  void point_to(const float* data) { memory_.set_data_handle(const_cast<float*>(data)); }
  /// The one object, wherever it points.
  const dnnl::memory& object() const { return memory_; }
  dnnl::memory at(const float* data) {
    point_to(data);
    return memory_;
  }
  const Desc& desc() const { return desc_; }

 private:
  dnnl::memory memory_;
  Desc desc_;
};

/// An operand that lies in one order, outside, and is wanted in another, inside: reordered through scratch
/// where the two differ, passed on as it is where they do not. It comes in or goes out, never both: there are
/// orders that one can write and not read.
class Bridge {
 public:
  enum class Way { in, out };
  Bridge() = default;
  Bridge(Way way, const Desc& outside, const Desc& inside);
  /// Floats of scratch that it needs; 0 where the orders agree.
  std::int64_t scratch() const { return differs_ ? floats(inside_.desc()) : 0; }
  /// What the primitive is given; in() or target() say where it points.
  const dnnl::memory& object() const { return inside_.object(); }
  /// Brings the operand to where the primitive reads it.
  void in(const float* outside, float* scratch);
  /// Where the primitive shall write; out() then brings it outside.
  void target(float* outside, float* scratch);
  void out(float* outside, float* scratch);

 private:
  bool differs_ = false;
  Memory outside_, inside_;
  dnnl::reorder reorder_;
};

/// Packs and unpacks a parameter between the order of files and the kernel's.
class Packing {
 public:
  Packing() = default;
  Packing(const Desc& plain, const Desc& packed);
  /// Floats of memory, all of which the kernels write.
  std::int64_t size() const {
    return static_cast<std::int64_t>((packed_.desc().get_size() + sizeof(float) - 1) / sizeof(float));
  }
  void pack(const float* plain, float* packed) const;
  void unpack(const float* packed, float* plain) const;

 private:
  Memory plain_, packed_;
};

/// The operands of a primitive: made once, pointed elsewhere before each run.
using Args = std::unordered_map<int, dnnl::memory>;

/// Runs and waits.
void execute(const dnnl::primitive& primitive, const Args& args);

}  // namespace enxerto::onednn
