#include "enxerto/kernels/onednn/api.h"

#include <cstring>

namespace enxerto::onednn {

using dnnl::algorithm;
using Tag = dnnl::memory::format_tag;

const dnnl::engine& engine() {
  static const dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}

dnnl::stream& stream() {
  thread_local dnnl::stream one(engine());
  return one;
}

namespace {
void append(dnnl::post_ops& ops, algorithm kind, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(kind, alpha, beta);
#else
  ops.append_eltwise(1.0f, kind, alpha, beta);
#endif
}
}  // namespace

bool append_activation(dnnl::post_ops& ops, const ActivationSpec& spec) {
  switch (spec.kind) {
    case Activation::none:
      return true;
    case Activation::relu:
      append(ops, algorithm::eltwise_relu, 0, 0);
      return true;
    case Activation::relu6:
      append(ops, algorithm::eltwise_clip, 0, 6);
      return true;
    case Activation::leaky_relu:
      append(ops, algorithm::eltwise_relu, spec.alpha, 0);
      return true;
    case Activation::sigmoid:
      append(ops, algorithm::eltwise_logistic, 0, 0);
      return true;
    case Activation::tanh:
      append(ops, algorithm::eltwise_tanh, 0, 0);
      return true;
    case Activation::silu:
      append(ops, algorithm::eltwise_swish, 1, 0);
      return true;
    // 3.x reads alpha and beta, 2.x has them built in.
    case Activation::hard_swish:
      append(ops, algorithm::eltwise_hardswish, 1.0f / 6, 0.5f);
      return true;
    case Activation::hard_sigmoid:
    case Activation::exp:
      return false;
  }
  return false;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

Desc desc_of(const Layout& layout) {
  const Shape& s = layout.shape;
  const Dims dims{s.n, s.c, s.h, s.w};
  if (layout.block == 1) return tagged(dims, Tag::nchw, layout.bf16);
  if (layout.block == s.c) return tagged(dims, Tag::nhwc, layout.bf16);
  return tagged(dims,
                layout.block == 16  ? Tag::nChw16c
                : layout.block == 8 ? Tag::nChw8c
                                    : Tag::nChw4c,
                layout.bf16);
}

std::optional<Layout> layout_of(const Desc& desc, const Shape& shape) {
  const Dims dims{shape.n, shape.c, shape.h, shape.w};
  for (const bool bf16 : {false, true})
    for (const auto& [tag, layout] : {std::pair{Tag::nchw, plain(shape)},
                                      {Tag::nhwc, channels_last(shape)},
                                      {Tag::nChw16c, make_layout(shape, 16)},
                                      {Tag::nChw8c, make_layout(shape, 8)},
                                      {Tag::nChw4c, make_layout(shape, 4)}})
      if (desc == tagged(dims, tag, bf16)) return in_format(layout, bf16);
  return std::nullopt;
}

std::int64_t floats(const Desc& desc) {
  constexpr std::size_t line = 64;
  return static_cast<std::int64_t>((desc.get_size() + line - 1) / line * line / sizeof(float));
}

Bridge::Bridge(Way way, const Desc& outside, const Desc& inside)
    : differs_(outside != inside), outside_(outside), inside_(inside) {
  if (!differs_) return;
  const auto &from = way == Way::in ? outside : inside, &to = way == Way::in ? inside : outside;
  reorder_ = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
}

void Bridge::in(const float* outside, float* scratch) {
  if (!differs_) return inside_.point_to(outside);
  dnnl::memory from = outside_.at(outside), to = inside_.at(scratch);
  reorder_.execute(stream(), from, to);
}

void Bridge::target(float* outside, float* scratch) { inside_.point_to(differs_ ? scratch : outside); }

void Bridge::out(float* outside, float* scratch) {
  if (!differs_) return;
  dnnl::memory from = inside_.at(scratch), to = outside_.at(outside);
  reorder_.execute(stream(), from, to);
}

Packing::Packing(const Desc& plain, const Desc& packed) : plain_(plain), packed_(packed) {}

void Packing::pack(const float* plain, float* packed) const {
  std::memset(packed, 0, static_cast<std::size_t>(size()) * sizeof(float));
  dnnl::memory from = Memory(plain_).at(plain), to = Memory(packed_).at(packed);
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
}

void Packing::unpack(const float* packed, float* plain) const {
  dnnl::memory from = Memory(packed_).at(packed), to = Memory(plain_).at(plain);
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
}

void execute(const dnnl::primitive& primitive, const Args& args) {
  primitive.execute(stream(), args);
  stream().wait();
}

}  // namespace enxerto::onednn
