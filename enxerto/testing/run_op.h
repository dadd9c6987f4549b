/// Runs one Op as the executor does, on memory that betrays it: what it should write holds NaN before,
/// what it may not touch is compared afterwards, every block ends in a guard.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "enxerto/kernels/op.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto::tests {

using Floats = std::vector<float>;

/// What a layer is given, as files have it: n, c, h, w.
struct Given {
  std::vector<Floats> in, params;
  Floats dout;
  Rng rng{};
};

/// What it made of it, likewise. Gradients that were not asked for are empty.
struct Made {
  Floats out;
  std::vector<Floats> params, din, dparams;
};

struct RunChoices {
  std::vector<bool> wants_din, wants_dparams;   ///< empty: none
  bool in_place = false, din_in_place = false;  ///< where the Op allows it

  bool backward() const {
    return std::ranges::find(wants_din, true) != wants_din.end() ||
           std::ranges::find(wants_dparams, true) != wants_dparams.end();
  }
};

/// Floats that hold NaN, 64-byte aligned, between guards.
class Guarded {
 public:
  explicit Guarded(std::int64_t size)
      : size_(static_cast<std::size_t>(size)), block_({.n = size + 2 * guard}) {
    std::ranges::fill(block_.data(), untouched());
  }
  float* data() { return block_.data().data() + guard; }
  std::span<float> span() { return {data(), size_}; }
  Floats copy() { return {data(), data() + size_}; }
  bool holds(const Floats& wanted) { return same_bits(wanted, copy()); }
  bool finite() {
    return std::ranges::all_of(span(), [](float x) { return std::isfinite(x); });
  }
  /// Each number of this layout.
  bool finite(const Layout& layout) {
    if (!layout.bf16) return finite();
    const auto* const halves = reinterpret_cast<const std::uint16_t*>(data());
    return std::all_of(halves, halves + layout.elements(),
                       [](std::uint16_t x) { return (x & 0x7F80) != 0x7F80; });
  }
  /// Nothing was written before or behind it.
  bool whole() {
    const float wanted = untouched();
    const auto intact = [&](const float& x) { return std::memcmp(&x, &wanted, sizeof x) == 0; };
    return std::ranges::all_of(block_.data().first(guard), intact) &&
           std::ranges::all_of(block_.data().last(guard), intact);
  }

 private:
  static constexpr std::int64_t guard = 32;
  static float untouched() { return std::numeric_limits<float>::quiet_NaN(); }
  std::size_t size_;
  Tensor block_;
};

/// Whether the channels that fill up the last block hold zero.
inline bool padding_is_zero(const Layout& layout, const float* data) {
  const auto* const halves = reinterpret_cast<const std::uint16_t*>(data);
  for (std::int64_t i = 0; i < layout.elements(); ++i) {
    const std::int64_t block = i / (layout.block * layout.pixels()) % layout.blocks();
    const bool padding = block * layout.block + i % layout.block >= layout.shape.c;
    if (padding && (layout.bf16 ? halves[i] != 0 : data[i] != 0)) return false;
  }
  return true;
}

inline Floats to_plain(const Layout& layout, const float* data) {
  Floats made(static_cast<std::size_t>(layout.shape.size()));
  reorder(layout, data, plain(layout.shape), made.data());
  return made;
}

inline Guarded from_plain(const Layout& layout, const Floats& values) {
  Guarded made(layout.size());
  EXPECT_EQ(static_cast<std::int64_t>(values.size()), layout.shape.size());
  reorder(plain(layout.shape), values.data(), layout, made.data());
  return made;
}

/// Forward, and backward where a gradient is wanted.
inline Made run_op(Op& op, const Given& given, const RunChoices& how) {
  const OpInfo& info = op.info();
  Made made;

  std::vector<Guarded> in, params;
  for (std::size_t i = 0; i < info.in.size(); ++i) in.push_back(from_plain(info.in[i], given.in.at(i)));
  for (std::size_t i = 0; i < info.params.size(); ++i) {
    const Floats& values = given.params.at(i);
    params.emplace_back(info.params[i]);
    op.pack(static_cast<int>(i), values, params[i].span());
    EXPECT_TRUE(params[i].finite()) << "packing fills parameter " << i;
    Floats back(values.size());
    op.unpack(static_cast<int>(i), params[i].span(), back);
    EXPECT_TRUE(same_bits(values, back)) << "unpacking undoes packing of parameter " << i;
  }
  std::vector<Floats> in_before, params_before;
  for (Guarded& block : in) in_before.push_back(block.copy());
  for (Guarded& block : params) params_before.push_back(block.copy());

  const bool in_place = info.in_place >= 0 && (how.in_place || info.in_place_required);
  EXPECT_TRUE(!info.in_place_required || info.in_place >= 0) << "what has to be in place says where";
  const auto over = static_cast<std::size_t>(std::max(info.in_place, 0));
  if (in_place) {
    EXPECT_EQ(info.in.at(over).size(), info.out.size()) << "in place needs one size";
    EXPECT_FALSE(how.backward() && info.keeps_in.at(over)) << "backward reads what forward wrote over";
  }
  Guarded own_out(info.out.size()), saved(info.saved), forward_scratch(info.forward_scratch);
  Guarded& out = in_place ? in[over] : own_out;

  std::vector<const float*> in_pointers;
  std::vector<float*> param_pointers;
  for (Guarded& block : in) in_pointers.push_back(block.data());
  for (Guarded& block : params) param_pointers.push_back(block.data());
  op.forward({.in = in_pointers,
              .params = param_pointers,
              .out = out.data(),
              .saved = saved.data(),
              .scratch = forward_scratch.data(),
              .rng = given.rng});
  EXPECT_TRUE(out.finite(info.out)) << "forward writes all of its output";
  EXPECT_TRUE(padding_is_zero(info.out, out.data())) << "padding of the output is zero";
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_TRUE(in[i].whole()) << "forward stays inside input " << i;
    const bool written = in_place && i == over;
    EXPECT_TRUE(written || in[i].holds(in_before[i])) << "forward leaves input " << i;
  }
  EXPECT_TRUE(out.whole() && saved.whole() && forward_scratch.whole()) << "forward stays inside its memory";
  made.out = to_plain(info.out, out.data());
  for (std::size_t i = 0; i < params.size(); ++i) {
    EXPECT_TRUE(params[i].whole()) << "forward stays inside parameter " << i;
    made.params.emplace_back(given.params[i].size());
    op.unpack(static_cast<int>(i), params[i].span(), made.params[i]);
    params_before[i] = params[i].copy();
  }
  if (!how.backward()) return made;

  const Floats out_before = out.copy();
  Guarded dout = from_plain(info.out, given.dout), backward_scratch(info.backward_scratch);
  const Floats dout_before = dout.copy();
  std::vector<Guarded> din, dparams;
  std::vector<float*> din_pointers, dparam_pointers;
  const bool din_in_place = how.din_in_place && info.din_in_place >= 0 &&
                            how.wants_din.at(static_cast<std::size_t>(info.din_in_place));
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool wanted = i < how.wants_din.size() && how.wants_din[i];
    const bool over_dout = din_in_place && static_cast<int>(i) == info.din_in_place;
    EXPECT_TRUE(!over_dout || info.in[i].size() == info.out.size()) << "in place needs one size";
    din.emplace_back(info.in[i].size());
    din_pointers.push_back(over_dout ? dout.data() : wanted ? din[i].data() : nullptr);
    if (!info.keeps_in.at(i)) in_pointers[i] = nullptr;
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    const bool wanted = i < how.wants_dparams.size() && how.wants_dparams[i];
    dparams.emplace_back(info.params[i]);
    dparam_pointers.push_back(wanted ? dparams[i].data() : nullptr);
  }
  op.backward({.in = in_pointers,
               .params = param_pointers,
               .out = info.keeps_out ? out.data() : nullptr,
               .dout = dout.data(),
               .din = din_pointers,
               .dparams = dparam_pointers,
               .saved = saved.data(),
               .scratch = backward_scratch.data(),
               .rng = given.rng});
  EXPECT_TRUE(out.holds(out_before)) << "backward leaves the output";
  EXPECT_TRUE(din_in_place || dout.holds(dout_before)) << "backward leaves dout";
  EXPECT_TRUE(dout.whole() && saved.whole() && backward_scratch.whole())
      << "backward stays inside its memory";
  made.din.resize(in.size());
  made.dparams.resize(params.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool written = in_place && i == over;
    EXPECT_TRUE(written || in[i].holds(in_before[i])) << "backward leaves input " << i;
    EXPECT_TRUE(din[i].whole()) << "backward stays inside din " << i;
    if (!din_pointers[i]) continue;
    const bool over_dout = din_pointers[i] == dout.data();
    EXPECT_TRUE((over_dout ? dout : din[i]).finite(info.in[i])) << "backward writes all of din " << i;
    EXPECT_TRUE(padding_is_zero(info.in[i], din_pointers[i])) << "padding of din " << i << " is zero";
    made.din[i] = to_plain(info.in[i], din_pointers[i]);
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    EXPECT_TRUE(params[i].holds(params_before[i])) << "backward leaves parameter " << i;
    EXPECT_TRUE(dparams[i].whole()) << "backward stays inside dparam " << i;
    if (!dparam_pointers[i]) continue;
    EXPECT_TRUE(dparams[i].finite()) << "backward writes all of dparam " << i;
    made.dparams[i].resize(given.params[i].size());
    op.unpack(static_cast<int>(i), dparams[i].span(), made.dparams[i]);
  }
  return made;
}

}  // namespace enxerto::tests
