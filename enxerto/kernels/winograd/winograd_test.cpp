#include "enxerto/kernels/winograd/winograd.h"

#include <gtest/gtest.h>

#include <cmath>

#include "enxerto/core/system.h"
#include "enxerto/kernels/layout.h"
#include "enxerto/kernels/reference/reference.h"
#include "enxerto/testing/tolerance.h"

namespace enxerto::winograd {
namespace {

struct Case {
  Shape in;
  std::int64_t out_channels;
  std::int64_t pad_top, pad_left, pad_bottom, pad_right;
  bool bias, residual, relu;
};

std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> all;
  if (chip_isa() != Isa::generic && kernels_avx2()) all.push_back(kernels_avx2());
  if (chip_isa() == Isa::avx512 && kernels_avx512()) all.push_back(kernels_avx512());
  return all;
}

std::vector<float> random_floats(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> made(static_cast<std::size_t>(count));
  for (float& x : made) x = rng.normal();
  return made;
}

std::vector<double> widened(const std::vector<float>& from, bool absolute = false) {
  std::vector<double> made(from.begin(), from.end());
  if (absolute)
    for (double& x : made) x = std::abs(x);
  return made;
}

std::vector<float> reordered(const Layout& from, const std::vector<float>& data, const Layout& to) {
  std::vector<float> made(static_cast<std::size_t>(to.size()), NAN);
  reorder(from, data.data(), to, made.data());
  return made;
}

/// {out, in, 3, 3} to the blocks that the kernels take.
template <class Number>
std::vector<Number> blocked_filters(const std::vector<Number>& plain, std::int64_t out, std::int64_t in,
                                    int lanes) {
  std::vector<Number> made(plain.size());
  for (std::int64_t o = 0; o < out; ++o)
    for (std::int64_t i = 0; i < in; ++i)
      for (std::int64_t r = 0; r < 9; ++r)
        made[static_cast<std::size_t>(
            (((o / lanes * (in / lanes) + i / lanes) * 9 + r) * lanes + i % lanes) * lanes + o % lanes)] =
            plain[static_cast<std::size_t>((o * in + i) * 9 + r)];
  return made;
}

ConvSpec spec_of(const Case& each) {
  ConvSpec spec;
  spec.in = each.in;
  spec.out = {each.in.n, each.out_channels, each.in.h + each.pad_top + each.pad_bottom - 2,
              each.in.w + each.pad_left + each.pad_right - 2};
  spec.window = {.kernel_h = 3,
                 .kernel_w = 3,
                 .pad_top = each.pad_top,
                 .pad_left = each.pad_left,
                 .pad_bottom = each.pad_bottom,
                 .pad_right = each.pad_right};
  spec.bias = each.bias;
  spec.residual = each.residual;
  spec.activation.kind = each.relu ? Activation::relu : Activation::none;
  return spec;
}

/// What forward and the gradients of a case are, and how far from it each element may be.
struct Wanted {
  reference::Block out, out_magnitude, din, din_magnitude, dw, dw_magnitude, db, db_magnitude;
};

Wanted wanted_of(const ConvSpec& spec, const std::vector<float>& x, const std::vector<float>& w,
                 const std::vector<float>& b, const std::vector<float>& residual,
                 const std::vector<float>& dout) {
  Wanted wanted;
  for (const bool absolute : {false, true}) {
    ConvSpec asked = spec;
    if (absolute) asked.activation = {};
    std::vector<reference::Block> in{widened(x, absolute)}, params{widened(w, absolute)};
    if (spec.residual) in.push_back(widened(residual, absolute));
    if (spec.bias) params.push_back(widened(b, absolute));
    const auto kernel = reference::conv(asked);
    reference::Block out(static_cast<std::size_t>(spec.out.size()));
    kernel->forward(in, params, out, {});
    (absolute ? wanted.out_magnitude : wanted.out) = out;
    ConvSpec plain_spec = spec;
    plain_spec.residual = false;
    plain_spec.bias = true;
    plain_spec.activation = {};
    in.resize(1), params.resize(2, widened(b, absolute));
    std::vector<reference::Block> din(1), dparams(2);
    din[0].resize(x.size()), dparams[0].resize(w.size()), dparams[1].resize(b.size());
    reference::conv(plain_spec)->backward(in, params, out, widened(dout, absolute), din, dparams, {});
    (absolute ? wanted.din_magnitude : wanted.din) = din[0];
    (absolute ? wanted.dw_magnitude : wanted.dw) = dparams[0];
    (absolute ? wanted.db_magnitude : wanted.db) = dparams[1];
  }
  return wanted;
}

std::vector<double> bounds(const reference::Block& magnitude, std::int64_t products) {
  std::vector<double> made;
  for (const double m : magnitude) made.push_back(tests::kernel_bound(static_cast<double>(products), m));
  return made;
}

TEST(Winograd, EqualsItsReferenceForwardAndBackUnderEachInstructionSet) {
  if (tables().empty()) GTEST_SKIP() << "this chip has neither AVX2 nor AVX-512: no Winograd kernels to test";
  const Case cases[] = {
      {{2, 32, 8, 8}, 32, 1, 1, 1, 1, false, false, false},
      {{1, 64, 14, 14}, 64, 1, 1, 1, 1, true, true, true},
      {{3, 32, 7, 9}, 48, 1, 1, 1, 1, true, false, true},
      {{2, 48, 13, 6}, 80, 0, 0, 0, 0, false, true, false},
      {{2, 64, 11, 5}, 32, 0, 1, 1, 2, true, false, false},
      {{1, 32, 17, 30}, 64, 2, 2, 2, 2, true, true, false},
      {{5, 128, 7, 7}, 128, 1, 1, 1, 1, false, false, false},
      {{30, 32, 23, 21}, 32, 1, 1, 1, 1, true, false, false},
  };
  for (const Case& each : cases) {
    const ConvSpec spec = spec_of(each);
    const auto x = random_floats(spec.in.size(), 1), b = random_floats(spec.out.c, 2);
    const auto w = random_floats(spec.out.c * spec.in.c * 9, 3);
    const auto residual = random_floats(spec.out.size(), 4), dout = random_floats(spec.out.size(), 5);
    const Wanted wanted = wanted_of(spec, x, w, b, residual, dout);
    for (const Kernels* table : tables())
      for (const bool last : {false, true}) {
        const int lanes = table->lanes, threads = last ? 1 : 3;
        SCOPED_TRACE(testing::Message() << lanes << " lanes, " << (last ? "channels last, " : "blocked, ")
                                        << format_shape(spec.in) << " to " << format_shape(spec.out));
        const Layout in{spec.in, last ? spec.in.c : lanes}, out{spec.out, last ? spec.out.c : lanes};
        const auto blocked_w = blocked_filters(w, spec.out.c, spec.in.c, lanes);
        std::vector<float> filters(
            static_cast<std::size_t>(table->filters_size(spec.out.c / lanes, spec.in.c / lanes)), NAN);

        const auto bx = reordered(plain(spec.in), x, in), br = reordered(plain(spec.out), residual, out);
        std::vector<float> y(static_cast<std::size_t>(out.size()), NAN);
        const Geometry geometry = geometry_of(spec, lanes, steps_of(in, lanes), steps_of(out, lanes));
        Call call{.geometry = geometry,
                  .x = bx.data(),
                  .filters = filters.data(),
                  .bias = each.bias ? b.data() : nullptr,
                  .residual = each.residual ? br.data() : nullptr,
                  .y = y.data(),
                  .relu = each.relu};
        std::vector<float> scratch(static_cast<std::size_t>(table->scratch_size(geometry, threads)), NAN);
        call.scratch = scratch.data();
        table->transform_filters(blocked_w.data(), spec.out.c / lanes, spec.in.c / lanes, filters.data());
        table->convolve(call, threads);
        EXPECT_TRUE(tests::within(wanted.out, reordered(out, y, plain(spec.out)),
                                  bounds(wanted.out_magnitude, spec.in.c * 9)));

        const auto bdy = reordered(plain(spec.out), dout, out);
        std::vector<float> dx(static_cast<std::size_t>(in.size()), NAN);
        Call back{.geometry = turned(geometry), .x = bdy.data(), .filters = filters.data(), .y = dx.data()};
        scratch.assign(static_cast<std::size_t>(table->scratch_size(back.geometry, threads)), NAN);
        back.scratch = scratch.data();
        table->transform_turned_filters(blocked_w.data(), spec.out.c / lanes, spec.in.c / lanes,
                                        filters.data());
        table->convolve(back, threads);
        EXPECT_TRUE(tests::within(wanted.din, reordered(in, dx, plain(spec.in)),
                                  bounds(wanted.din_magnitude, spec.out.c * 9)));

        std::vector<float> dw(w.size(), NAN), db(b.size(), NAN);
        scratch.assign(static_cast<std::size_t>(table->gradient_scratch_size(geometry, threads)), NAN);
        table->filter_gradient({.geometry = geometry,
                                .x = bx.data(),
                                .dy = bdy.data(),
                                .dfilters = dw.data(),
                                .dbias = each.bias ? db.data() : nullptr,
                                .scratch = scratch.data()},
                               threads);
        const std::int64_t sums = spec.out.n * spec.out.h * spec.out.w;
        EXPECT_TRUE(
            tests::within(blocked_filters(wanted.dw, spec.out.c, spec.in.c, lanes), dw,
                          bounds(blocked_filters(wanted.dw_magnitude, spec.out.c, spec.in.c, lanes), sums)));
        if (each.bias) {
          EXPECT_TRUE(tests::within(wanted.db, db, bounds(wanted.db_magnitude, sums)));
        }
      }
  }
}

TEST(Winograd, GivesTheSameBitsForAnyNumberOfThreads) {
  if (tables().empty()) GTEST_SKIP() << "this chip has neither AVX2 nor AVX-512: no Winograd kernels to test";
  const Case each{{7, 64, 19, 19}, 64, 1, 1, 1, 1, false, false, false};
  const ConvSpec spec = spec_of(each);
  const auto x = random_floats(spec.in.size(), 1), dy = random_floats(spec.out.size(), 2);
  const auto w = random_floats(64 * 64 * 9, 3);
  for (const Kernels* table : tables()) {
    const std::int64_t blocks = 64 / table->lanes;
    const Layout layout{spec.in, table->lanes};
    const Geometry geometry =
        geometry_of(spec, table->lanes, steps_of(layout, table->lanes), steps_of(layout, table->lanes));
    std::vector<float> filters(static_cast<std::size_t>(table->filters_size(blocks, blocks)));
    table->transform_filters(w.data(), blocks, blocks, filters.data());
    std::vector<float> first, first_dw;
    for (const int threads : {1, 2, 5}) {
      std::vector<float> y(x.size(), NAN), dw(w.size(), NAN);
      std::vector<float> scratch(static_cast<std::size_t>(table->scratch_size(geometry, threads)));
      table->convolve({.geometry = geometry,
                       .x = x.data(),
                       .filters = filters.data(),
                       .y = y.data(),
                       .scratch = scratch.data()},
                      threads);
      scratch.resize(static_cast<std::size_t>(table->gradient_scratch_size(geometry, threads)));
      table->filter_gradient({.geometry = geometry,
                              .x = x.data(),
                              .dy = dy.data(),
                              .dfilters = dw.data(),
                              .scratch = scratch.data()},
                             threads);
      if (first.empty()) first = y, first_dw = dw;
      EXPECT_TRUE(tests::same_bits(first, y)) << threads << " threads";
      EXPECT_TRUE(tests::same_bits(first_dw, dw)) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace enxerto::winograd
