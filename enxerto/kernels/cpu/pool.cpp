#include <algorithm>
#include <cstring>
#include <type_traits>

#include "enxerto/core/system.h"
#include "enxerto/kernels/cpu/cpu.h"
#include "enxerto/kernels/cpu/loops.h"
#include "enxerto/kernels/cpu/tiles.h"

namespace enxerto::cpu {
namespace {

/// What of one window lies inside the picture along one side.
struct Reach {
  std::int64_t first = 0;   ///< pixel
  int skipped = 0;          ///< kernel rows before the first one inside
  int count = 0;            ///< kernel rows inside
  std::int64_t padded = 0;  ///< pixels of the window inside the padded picture
};

std::vector<Reach> reaches(std::int64_t out, std::int64_t in, std::int64_t kernel, std::int64_t stride,
                           std::int64_t dilation, std::int64_t before, std::int64_t after) {
  std::vector<Reach> all(static_cast<std::size_t>(out));
  for (std::int64_t o = 0; o < out; ++o) {
    Reach& reach = all[static_cast<std::size_t>(o)];
    const std::int64_t start = o * stride - before;
    // Kernel rows before the first one that is not before `end`.
    const auto rows_before = [&](std::int64_t end) {
      return std::clamp<std::int64_t>((end - start + dilation - 1) / dilation, 0, kernel);
    };
    const std::int64_t first = start < 0 ? rows_before(0) : 0, last = start < in ? rows_before(in) : 0;
    reach.padded = start < in + after ? rows_before(in + after) : 0;
    if (first >= last) continue;
    reach.count = static_cast<int>(last - first);
    reach.skipped = static_cast<int>(first);
    reach.first = start + first * dilation;
  }
  return all;
}

/// The share of each output, by the rule of AdaptivePoolSpec.
std::vector<Reach> shares(std::int64_t out, std::int64_t in) {
  std::vector<Reach> all;
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t first = o * in / out, last = ((o + 1) * in + out - 1) / out;
    all.push_back({.first = first, .count = static_cast<int>(last - first), .padded = last - first});
  }
  return all;
}

/// Pixels are of type T, float or Bf16, outputs of type Y, the same or, of means, float; Index is what tells
/// where in the window the maximum stood.
template <class T, class Index, class Y = T>
class PoolOp : public Op {
 public:
  PoolOp(const PoolSpec& spec, const PlanArgs& args, std::vector<Reach> rows, std::vector<Reach> columns)
      : spec_(spec),
        in_(common_layout(spec.in, args.in)),
        out_(out_layout(spec, args)),
        groups_(in_),
        rows_(std::move(rows)),
        columns_(std::move(columns)) {
    info_.in = {in_};
    info_.out = in_format(make_layout(spec.out, out_.block), out_.bf16);
    info_.keeps_in = {false};
    if (spec.maximum && args.backward())
      info_.saved = (out_.elements() * static_cast<std::int64_t>(sizeof(Index)) + 3) / 4;
    info_.implementation = implementation_of(in_);
  }

  void forward(const Forward& run) override {
    const T* const from = numbers<T>(run.in[0]);
    Y* const to = numbers<Y>(run.out);
    auto* const indices = info_.saved ? reinterpret_cast<Index*>(run.saved) : nullptr;
    for_each_output([&](const Groups::Part& part, const Place& place) {
      const T* const pixels = from + place.in + part.at;
      const std::int64_t at = place.out + part.at;
      if (!spec_.maximum) {
        sum()(pixels, place.rows, place.columns, row_step(), column_step(), part.width, place.factor,
              to + at);
        return;
      }
      if constexpr (std::is_same_v<T, Y>) {
        std::int32_t where[16];
        loops().window.of<T>().max(pixels, place.rows, place.columns, row_step(), column_step(), part.width,
                                   place.first_index, static_cast<int>(spec_.window.kernel_w), to + at,
                                   indices ? where : nullptr);
        if (indices)
          for (int j = 0; j < part.width; ++j) indices[at + j] = static_cast<Index>(where[j]);
      }
    });
  }

  void backward(const Backward& run) override {
    T* const dx = numbers<T>(run.din[0]);
    const Y* const dy = numbers<Y>(run.dout);
    const auto* const indices = reinterpret_cast<const Index*>(run.saved);
    const std::int64_t items = in_.shape.n * groups_.per_picture();
    // Windows overlap, so one thread has all of a picture's group.
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < items; ++item) {
      const auto [group, n, start] = groups_.item(item);
      const std::int64_t block = group.channel / in_.block, within = group.channel % in_.block;
      for (std::int64_t p = 0; p < in_.pixels(); ++p)
        std::fill_n(dx + start + p * in_.block, group.width, T{});
      for (std::int64_t y = 0; y < spec_.out.h; ++y)
        for (std::int64_t x = 0; x < spec_.out.w; ++x) {
          const Place place = at(n, block, y, x);
          const std::int64_t out = place.out + within;
          const Y* const g = dy + out;
          T* const pixels = dx + place.in + within;
          if (!spec_.maximum) {
            spread()(g, place.rows, place.columns, row_step(), column_step(), group.width, place.factor,
                     pixels);
            continue;
          }
          if constexpr (std::is_same_v<T, Y>) {
            std::int32_t where[16];
            std::copy_n(indices + out, group.width, where);
            loops().window.of<T>().route(g, where, place.rows, place.columns, row_step(), column_step(),
                                         group.width, place.first_index,
                                         static_cast<int>(spec_.window.kernel_w), pixels);
          }
        }
    }
  }

 private:
  struct Place {
    std::int64_t in, out;  ///< of the block's first channel: numbers from the start
    int rows, columns, first_index;
    float factor;
  };
  static Layout out_layout(const PoolSpec& spec, const PlanArgs& args) {
    // Spelled with the input's block even where one pixel makes that the same as plain: same memory.
    const Layout in = common_layout(spec.in, args.in);
    return {spec.out, in.block, std::is_same_v<Y, Bf16>};
  }
  static auto sum() {
    if constexpr (std::is_same_v<T, Y>)
      return loops().window.of<T>().sum;
    else
      return loops().window.of<T>().sum_to_float;
  }
  static auto spread() {
    if constexpr (std::is_same_v<T, Y>)
      return loops().window.of<T>().spread;
    else
      return loops().window.of<T>().spread_from_float;
  }
  std::int64_t row_step() const { return spec_.window.dilation_h * in_.shape.w * in_.block; }
  std::int64_t column_step() const { return spec_.window.dilation_w * in_.block; }
  Place at(std::int64_t n, std::int64_t block, std::int64_t y, std::int64_t x) const {
    const Reach &row = rows_[static_cast<std::size_t>(y)], &column = columns_[static_cast<std::size_t>(x)];
    const std::int64_t counted = spec_.count_include_pad
                                     ? row.padded * column.padded
                                     : static_cast<std::int64_t>(row.count) * column.count;
    const std::int64_t plane = n * in_.blocks() + block;
    return {(plane * in_.pixels() + row.first * in_.shape.w + column.first) * in_.block,
            (plane * out_.pixels() + y * spec_.out.w + x) * out_.block,
            row.count,
            column.count,
            row.skipped * static_cast<int>(spec_.window.kernel_w) + column.skipped,
            1.0f / static_cast<float>(std::max<std::int64_t>(counted, 1))};
  }
  /// In the order of memory: all groups of a block at one pixel, then the next pixel; but where there are few
  /// rows, each group is one thread's work.
  template <class Run>
  void for_each_output(Run run) const {
    const std::vector<Groups::Part>& parts = groups_.parts();
    const std::int64_t blocks = in_.blocks(), rows = in_.shape.n * blocks * spec_.out.h;
    const std::int64_t shares = rows < 4 * threads() ? std::ssize(parts) : 1;
#pragma omp parallel for schedule(static)
    for (std::int64_t item = 0; item < rows * shares; ++item) {
      const std::int64_t row = item / shares, y = row % spec_.out.h, plane = row / spec_.out.h;
      for (std::int64_t x = 0; x < spec_.out.w; ++x) {
        const Place place = at(plane / blocks, plane % blocks, y, x);
        if (shares > 1)
          run(parts[static_cast<std::size_t>(item % shares)], place);
        else
          for (const Groups::Part& part : parts) run(part, place);
      }
    }
  }

  PoolSpec spec_;
  Layout in_, out_;
  Groups groups_;
  std::vector<Reach> rows_, columns_;
};

template <class T>
std::unique_ptr<Op> pool_of(const PoolSpec& spec, const PlanArgs& args, std::vector<Reach> rows,
                            std::vector<Reach> columns) {
  if (!spec.maximum || spec.window.kernel_h * spec.window.kernel_w <= 256)
    return std::make_unique<PoolOp<T, std::uint8_t>>(spec, args, std::move(rows), std::move(columns));
  return std::make_unique<PoolOp<T, std::int32_t>>(spec, args, std::move(rows), std::move(columns));
}

}  // namespace

std::unique_ptr<Op> pool(const PoolSpec& spec, const PlanArgs& args) {
  const Window& w = spec.window;
  std::vector<Reach> rows =
      reaches(spec.out.h, spec.in.h, w.kernel_h, w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom);
  std::vector<Reach> columns =
      reaches(spec.out.w, spec.in.w, w.kernel_w, w.stride_w, w.dilation_w, w.pad_left, w.pad_right);
  if (common_layout(spec.in, args.in).bf16)
    return pool_of<Bf16>(spec, args, std::move(rows), std::move(columns));
  return pool_of<float>(spec, args, std::move(rows), std::move(columns));
}

std::unique_ptr<Op> adaptive_pool(const AdaptivePoolSpec& spec, const PlanArgs& args) {
  const PoolSpec means{.in = spec.in, .out = spec.out, .maximum = false, .count_include_pad = false};
  std::vector<Reach> rows = shares(spec.out.h, spec.in.h), columns = shares(spec.out.w, spec.in.w);
  // A list most often, for layers that know floats only: not rounded.
  if (common_layout(spec.in, args.in).bf16)
    return std::make_unique<PoolOp<Bf16, std::uint8_t, float>>(means, args, std::move(rows),
                                                               std::move(columns));
  return std::make_unique<PoolOp<float, std::uint8_t>>(means, args, std::move(rows), std::move(columns));
}

}  // namespace enxerto::cpu
