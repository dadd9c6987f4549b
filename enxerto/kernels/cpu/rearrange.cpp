#include <algorithm>

#include "enxerto/kernels/cpu/cpu.h"

namespace enxerto::cpu {
namespace {

class RearrangeOp : public Op {
 public:
  RearrangeOp(const RearrangeSpec& spec, const PlanArgs&) : spec_(spec) {
    info_.in = {plain(spec.in)};
    info_.out = plain(spec.out);
    info_.keeps_in = {false};
    info_.implementation = "loops";
    merge();
  }

  void forward(const Forward& run) override {
    const std::int64_t length = spec_.sizes.back(), step = spec_.strides.back();
    const std::int64_t rows = out_size() / length, all = spec_.out.n * rows;
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < all; ++row) {
      const float* const from = run.in[0] + row / rows * in_size() + start(row % rows);
      float* const to = run.out + row * length;
      if (step == 1)
        std::copy_n(from, length, to);
      else
        for (std::int64_t i = 0; i < length; ++i) to[i] = from[i * step];
    }
  }

  void backward(const Backward& run) override {
    const std::int64_t length = spec_.sizes.back(), step = spec_.strides.back(), rows = out_size() / length;
    // Elements may be repeated, so one thread has all of a picture.
#pragma omp parallel for schedule(static)
    for (std::int64_t n = 0; n < spec_.in.n; ++n) {
      float* const dx = run.din[0] + n * in_size();
      std::fill_n(dx, in_size(), 0.0f);
      for (std::int64_t row = 0; row < rows; ++row) {
        const float* const g = run.dout + n * out_size() + row * length;
        float* const to = dx + start(row);
        for (std::int64_t i = 0; i < length; ++i) to[i * step] += g[i];
      }
    }
  }

 private:
  std::int64_t in_size() const { return spec_.in.size() / spec_.in.n; }
  std::int64_t out_size() const { return spec_.out.size() / spec_.out.n; }

  /// Neighbouring digits that walk on as one become one, so that the inner loop is long.
  void merge() {
    std::vector<std::int64_t> sizes, strides;
    for (std::size_t i = 0; i < spec_.sizes.size(); ++i) {
      const std::int64_t size = spec_.sizes[i], stride = spec_.strides[i];
      if (size == 1) continue;
      if (!sizes.empty() && strides.back() == stride * size)
        sizes.back() *= size, strides.back() = stride;
      else
        sizes.push_back(size), strides.push_back(stride);
    }
    if (sizes.empty()) sizes = {1}, strides = {1};
    spec_.sizes = std::move(sizes);
    spec_.strides = std::move(strides);
  }
  /// Where the elements of this row of the output begin in the input.
  std::int64_t start(std::int64_t row) const {
    std::int64_t from = spec_.offset;
    for (std::size_t k = spec_.sizes.size() - 1; k-- > 0; row /= spec_.sizes[k])
      from += row % spec_.sizes[k] * spec_.strides[k];
    return from;
  }
  RearrangeSpec spec_;
};

}  // namespace

std::unique_ptr<Op> rearrange(const RearrangeSpec& spec, const PlanArgs& args) {
  return std::make_unique<RearrangeOp>(spec, args);
}

}  // namespace enxerto::cpu
