/// Walking a Layout in parallel: pictures times groups of channels that lie side by side.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/layout.h"
#include "enxerto/tensor/bfloat16.h"

namespace enxerto::cpu {

/// A group of `width` channels (16, 8 or 1) from channel `channel` on, in the order of a Layout.
struct Group {
  std::int64_t channel = 0;  ///< counted with padding: block * index of block + place in it
  std::int64_t offset = 0;   ///< of the group's first float within one picture
  int width = 1;
};

/// The channel groups of a layout. Those of one block share its pixels' stride, layout.block.
class Groups {
 public:
  /// A group within its block.
  struct Part {
    std::int64_t at;
    int width;
  };
  explicit Groups(const Layout& layout) : layout_(layout) {
    for (std::int64_t at = 0; at < layout.block;) {
      const std::int64_t left = layout.block - at;
      const int width = left >= 16 ? 16 : left >= 8 ? 8 : 1;
      parts_.push_back({at, width});
      at += width;
    }
  }
  const std::vector<Part>& parts() const { return parts_; }
  std::int64_t per_picture() const { return layout_.blocks() * static_cast<std::int64_t>(parts_.size()); }
  std::int64_t picture_size() const { return layout_.blocks() * layout_.pixels() * layout_.block; }
  /// A group of one picture; `start` counts from the first picture's first number.
  struct OfPicture {
    Group group;
    std::int64_t n, start;
  };
  /// Of all pictures' groups, one after the other.
  OfPicture item(std::int64_t i) const {
    const std::int64_t n = i / per_picture();
    const Group group = (*this)[i % per_picture()];
    return {group, n, n * picture_size() + group.offset};
  }
  Group operator[](std::int64_t i) const {
    const auto per_block = static_cast<std::int64_t>(parts_.size());
    const auto [within, width] = parts_[static_cast<std::size_t>(i % per_block)];
    return {i / per_block * layout_.block + within, i / per_block * layout_.pixels() * layout_.block + within,
            width};
  }

 private:
  Layout layout_;
  std::vector<Part> parts_;
};

/// How an Op on this layout calls its loops in profiles.
inline std::string implementation_of(const Layout& layout) {
  return std::string(loops().name) + (layout.bf16 ? " bf16" : "");
}

/// The numbers of a Layout in memory that an Op is given.
template <class T>
const T* numbers(const float* memory) {
  return reinterpret_cast<const T*>(memory);
}
template <class T>
T* numbers(float* memory) {
  return reinterpret_cast<T*>(memory);
}

/// Channels with padding.
inline std::int64_t padded_channels(const Layout& layout) { return layout.blocks() * layout.block; }

/// Calls run(begin, end) on pieces of [0, count), in parallel; pieces do not depend on the threads.
template <class Run>
void parallel_pieces(std::int64_t count, Run run) {
  constexpr std::int64_t piece = 1 << 14;
  const std::int64_t pieces = (count + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (pieces > 1)
  for (std::int64_t i = 0; i < pieces; ++i) run(i * piece, std::min(count, (i + 1) * piece));
}

/// The layout that an Op without a wish of its own takes: the first that is not plain, else plain.
inline Layout common_layout(const Shape& shape, const std::vector<Layout>& offered) {
  for (const Layout& layout : offered)
    if (layout.shape == shape && layout.block != 1) return layout;
  return plain(shape);
}

/// Writes zero into the channels that only fill up the last block.
template <class T>
void zero_padding_of(const Layout& layout, T* data) {
  const std::int64_t last = layout.blocks() - 1, used = layout.shape.c - last * layout.block;
  for (std::int64_t n = 0; n < layout.shape.n; ++n)
    for (std::int64_t p = 0; p < layout.pixels(); ++p) {
      T* const at = data + ((n * layout.blocks() + last) * layout.pixels() + p) * layout.block;
      std::fill(at + used, at + layout.block, T{});
    }
}
inline void zero_padding(const Layout& layout, float* data) {
  if (!layout.padded()) return;
  if (layout.bf16)
    zero_padding_of(layout, numbers<Bf16>(data));
  else
    zero_padding_of(layout, data);
}

}  // namespace enxerto::cpu
