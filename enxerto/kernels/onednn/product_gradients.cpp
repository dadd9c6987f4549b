#include "enxerto/kernels/onednn/product_gradients.h"

#include <algorithm>
#include <cstring>

namespace enxerto::onednn {
namespace {

using Tag = dnnl::memory::format_tag;
using dnnl::matmul;

constexpr auto bf16 = dnnl::memory::data_type::bf16;

/// A matrix whose rows lie one after the other.
Desc matrix(std::int64_t rows, std::int64_t columns, dnnl::memory::data_type type) {
  return {Dims{rows, columns}, type, Dims{columns, 1}};
}
/// Floats of memory that so many bfloat16 numbers take, in whole cache lines.
std::int64_t floats_of(std::int64_t halves) { return (halves + 31) / 32 * 16; }

/// One whose columns do.
Desc transposed(std::int64_t rows, std::int64_t columns, dnnl::memory::data_type type) {
  return {Dims{rows, columns}, type, Dims{1, rows}};
}

}  // namespace

bool suits_product(const ConvSpec& spec) {
  const Window& w = spec.window;
  constexpr std::int64_t few = 64;
  return spec.groups == 1 && !spec.bias &&
         ((w.kernel_h == 1 && w.kernel_w == 1) || spec.out.h * spec.out.w <= few);
}

ProductGradients::Product::Product(const matmul::primitive_desc& desc)
    : run(desc),
      a(desc.src_desc()),
      b(desc.weights_desc()),
      c(desc.dst_desc()),
      pad(desc.scratchpad_desc()),
      args{{DNNL_ARG_SRC, a.object()},
           {DNNL_ARG_WEIGHTS, b.object()},
           {DNNL_ARG_DST, c.object()},
           {DNNL_ARG_SCRATCHPAD, pad.object()}} {}

void ProductGradients::Product::operator()(const float* a_at, const float* b_at, float* c_at, float* pad_at) {
  a.point_to(a_at), b.point_to(b_at), c.point_to(c_at), pad.point_to(pad_at);
  execute(run, args);
}

ProductGradients::ProductGradients(const ConvSpec& spec, bool wants_dx)
    : spec_(spec), output_rows_(spec.out.c > columns()), together_(spec.in.n) {
  if (!is_dense()) {
    constexpr std::int64_t most = 1 << 20;  // numbers that stay in the second-level cache
    const std::int64_t fit = std::max<std::int64_t>(1, most / (pixels() * columns()));
    while (together_ > fit || spec.in.n % together_ != 0) --together_;
  }
  const std::int64_t depth = together_ * pixels(), out = spec.out.c;
  dnnl::primitive_attr attr = user_scratchpad();
  if (together_ < spec.in.n) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attr.set_post_ops(sum);
  }
  constexpr auto f32 = dnnl::memory::data_type::f32;
  dw_.emplace(output_rows_ ? make_pd<matmul>(attr, transposed(out, depth, bf16),
                                             matrix(depth, columns(), bf16), matrix(out, columns(), f32))
                           : make_pd<matmul>(attr, transposed(columns(), depth, bf16),
                                             matrix(depth, out, bf16), matrix(columns(), out, f32)));
  const Window& w = spec.window;
  const bool padded = w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0;
  if (!wants_dx || w.kernel_h * w.kernel_w != 1 || padded) return;
  const std::int64_t rows = spec.in.n * pixels();
  const auto made = make_pd<matmul>(user_scratchpad(), matrix(rows, out, bf16), any({out, spec.in.c}, true),
                                    matrix(rows, spec.in.c, bf16));
  dx_.emplace(made);
  dx_weights_ =
      Bridge(Bridge::Way::in, output_rows_ ? matrix(out, spec.in.c, f32) : transposed(out, spec.in.c, f32),
             made.weights_desc());
}

bool ProductGradients::is_dense() const {
  return spec_.window.kernel_h == 1 && spec_.window.kernel_w == 1 && spec_.in.h == spec_.out.h &&
         spec_.in.w == spec_.out.w && spec_.window.pad_top == 0 && spec_.window.pad_left == 0;
}

std::int64_t ProductGradients::columns() const {
  return spec_.window.kernel_h * spec_.window.kernel_w * spec_.in.c;
}

Desc ProductGradients::weights_desc() const {
  const Dims dims{spec_.out.c, spec_.in.c, spec_.window.kernel_h, spec_.window.kernel_w};
  return tagged(dims, output_rows_ ? Tag::ohwi : Tag::hwio);
}

std::int64_t ProductGradients::scratch() const {
  const std::int64_t for_weights = gathered_size() + dw_->scratch();
  return dx_ ? std::max(for_weights, made_size() + dx_weights_.scratch() + dx_->scratch()) : for_weights;
}

std::int64_t ProductGradients::gathered_size() const {
  return is_dense() ? 0 : floats_of(together_ * pixels() * columns());
}

std::int64_t ProductGradients::made_size() const {
  return is_dense() ? 0 : floats_of(spec_.in.n * pixels() * spec_.in.c);
}

void ProductGradients::gather(const std::uint16_t* x, std::int64_t first, std::uint16_t* to) const {
  const Window& w = spec_.window;
  const Shape &in = spec_.in, &out = spec_.out;
  const std::int64_t rows = together_ * out.h;
  const auto bytes = static_cast<std::size_t>(in.c) * sizeof *x;
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t n = first + row / out.h, oy = row % out.h;
    std::uint16_t* at = to + row * out.w * columns();
    for (std::int64_t ox = 0; ox < out.w; ++ox)
      for (std::int64_t i = 0; i < w.kernel_h; ++i)
        for (std::int64_t j = 0; j < w.kernel_w; ++j, at += in.c) {
          const std::int64_t iy = oy * w.stride_h + i * w.dilation_h - w.pad_top;
          const std::int64_t ix = ox * w.stride_w + j * w.dilation_w - w.pad_left;
          if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w)
            std::memset(at, 0, bytes);
          else
            std::memcpy(at, x + ((n * in.h + iy) * in.w + ix) * in.c, bytes);
        }
  }
}

void ProductGradients::weights(const float* x, const float* dy, float* dw, float* scratch) {
  const auto* const pixels_in = reinterpret_cast<const std::uint16_t*>(x);
  const auto* const pixels_out = reinterpret_cast<const std::uint16_t*>(dy);
  float* const pad = scratch + gathered_size();
  if (together_ < spec_.in.n) std::fill_n(dw, columns() * spec_.out.c, 0.0f);
  for (std::int64_t first = 0; first < spec_.in.n; first += together_) {
    const float* under = x;
    if (!is_dense()) {
      gather(pixels_in, first, reinterpret_cast<std::uint16_t*>(scratch));
      under = scratch;
    }
    const auto* const above = reinterpret_cast<const float*>(pixels_out + first * pixels() * spec_.out.c);
    output_rows_ ? (*dw_)(above, under, dw, pad) : (*dw_)(under, above, dw, pad);
  }
}

void ProductGradients::data(const float* dy, const float* weights, float* dx, float* scratch) {
  float* const w_scratch = scratch + made_size();
  dx_weights_.in(weights, w_scratch);  // from float: always through scratch
  float* const made = is_dense() ? dx : scratch;
  (*dx_)(dy, w_scratch, made, w_scratch + dx_weights_.scratch());
  if (is_dense()) return;
  const auto* const from = reinterpret_cast<const std::uint16_t*>(made);
  auto* const to = reinterpret_cast<std::uint16_t*>(dx);
  const Shape &in = spec_.in, &out = spec_.out;
  const Window& window = spec_.window;
  const auto bytes = static_cast<std::size_t>(in.c) * sizeof *to;
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < in.n * in.h; ++row) {
    const std::int64_t n = row / in.h, y = row % in.h;
    const bool hit = y % window.stride_h == 0 && y / window.stride_h < out.h;
    for (std::int64_t x = 0; x < in.w; ++x) {
      std::uint16_t* const at = to + (row * in.w + x) * in.c;
      if (hit && x % window.stride_w == 0 && x / window.stride_w < out.w)
        std::memcpy(at, from + ((n * out.h + y / window.stride_h) * out.w + x / window.stride_w) * in.c,
                    bytes);
      else
        std::memset(at, 0, bytes);
    }
  }
}

}  // namespace enxerto::onednn
