#include "enxerto/kernels/layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/kernels/op.h"
#include "enxerto/tensor/bfloat16.h"

namespace enxerto {
namespace {

TEST(Layout, SaysWhatItTakes) {
  const Layout blocked = make_layout({2, 20, 3, 5}, 8);
  EXPECT_EQ(blocked.blocks(), 3);
  EXPECT_EQ(blocked.size(), 2 * 24 * 15);
  EXPECT_TRUE(blocked.padded());
  EXPECT_EQ(format_layout(blocked), "2x20x3x5 blocked by 8");
  EXPECT_EQ(format_layout(plain(blocked.shape)), "2x20x3x5");
  EXPECT_EQ(format_layout(channels_last(blocked.shape)), "2x20x3x5 channels last");
}

TEST(Layout, HasOneSpellingForOneOrder) {
  EXPECT_EQ(channels_last({4, 1, 9, 9}), plain({4, 1, 9, 9}));
  EXPECT_EQ(channels_last({4, 10, 1, 1}), plain({4, 10, 1, 1}));
  EXPECT_EQ(make_layout({4, 32, 1, 1}, 16), plain({4, 32, 1, 1}));
  EXPECT_EQ(make_layout({4, 16, 3, 3}, 16), channels_last({4, 16, 3, 3}));
  // Padding makes it another order.
  EXPECT_NE(make_layout({4, 10, 1, 1}, 16), plain({4, 10, 1, 1}));
  EXPECT_NE(make_layout({4, 1, 9, 9}, 8), plain({4, 1, 9, 9}));
  EXPECT_THROW(make_layout({1, 1, 1, 1}, 0), std::logic_error);
}

TEST(Reorder, PutsChannelsSideBySide) {
  // Two channels of three pixels.
  const std::vector<float> source{1, 2, 3, 10, 20, 30};
  const Shape shape{.n = 1, .c = 2, .h = 1, .w = 3};
  std::vector<float> target(6);
  reorder(plain(shape), source.data(), channels_last(shape), target.data());
  EXPECT_EQ(target, (std::vector<float>{1, 10, 2, 20, 3, 30}));
  std::vector<float> blocked(24, 7.0f);
  reorder(plain(shape), source.data(), make_layout(shape, 8), blocked.data());
  EXPECT_EQ(blocked,
            (std::vector<float>{1, 10, 0, 0, 0, 0, 0, 0, 2, 20, 0, 0, 0, 0, 0, 0, 3, 30, 0, 0, 0, 0, 0, 0}));
}

TEST(Reorder, TakesPicturesOfThreeColoursInEitherFormat) {
  for (const Shape shape : {Shape{2, 3, 65, 67}, {1, 3, 1, 1}, {3, 3, 4, 5}, {1, 3, 64, 64}}) {
    std::vector<float> source(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = 0.37f * static_cast<float>(i) - 5;
    const std::int64_t pixels = shape.h * shape.w;
    for (const bool bf16 : {false, true}) {
      const Layout to = in_format(channels_last(shape), bf16);
      std::vector<float> packed(static_cast<std::size_t>(to.size()));
      std::vector<float> got(source.size());
      reorder(plain(shape), source.data(), to, packed.data());
      reorder(to, packed.data(), in_format(to, false), got.data());  // as numbers, in their order
      for (std::int64_t i = 0; i < shape.size(); ++i) {
        const std::int64_t n = i / 3 / pixels, pixel = i / 3 % pixels, c = i % 3;
        const float wanted = source[static_cast<std::size_t>(pixels == 1 ? i : (n * 3 + c) * pixels + pixel)];
        ASSERT_EQ(got[static_cast<std::size_t>(i)], bf16 ? float_of_bf16(bf16_of(wanted)) : wanted)
            << format_layout(to) << " " << i;
      }
    }
  }
}

TEST(Reorder, RoundsToBfloat16AndBack) {
  const float tie_down = 1 + 0x1p-8f, tie_up = 1 + 3 * 0x1p-8f, inf = std::numeric_limits<float>::infinity();
  const std::vector<float> source{1.0f, -2.5f, tie_down, tie_up, 1 + 0x1.8p-8f, inf, std::nanf(""), 3.4e38f};
  const std::vector<float> wanted{1.0f, -2.5f, 1.0f, 1 + 0x1p-6f, 1 + 0x1p-7f, inf, 0, inf};
  const Shape shape{.n = 1, .c = 8, .h = 1, .w = 1};
  const Layout half = in_format(plain(shape), true);
  EXPECT_EQ(half.elements(), 8);
  EXPECT_EQ(half.size(), 4);
  std::vector<float> packed(4), back(8);
  reorder(plain(shape), source.data(), half, packed.data());
  reorder(half, packed.data(), plain(shape), back.data());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (i == 6)
      EXPECT_TRUE(std::isnan(back[i]));
    else
      EXPECT_EQ(back[i], wanted[i]) << i;
}

TEST(Reorder, FindsEveryElementBetweenAnyTwoLayoutsOfEitherFormat) {
  const Shape shape{3, 20, 4, 5};
  std::vector<float> source(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < source.size(); ++i)
    source[i] = static_cast<float>(i % 251);  // exact in eight bits
  for (const std::int64_t a : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, shape.c})
    for (const std::int64_t b : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, shape.c})
      for (const auto& [first_half, second_half] : {std::pair{false, true}, {true, false}, {true, true}}) {
        const Layout first = in_format(make_layout(shape, a), first_half);
        const Layout second = in_format(make_layout(shape, b), second_half);
        std::vector<float> one(static_cast<std::size_t>(first.size()), -1.0f);
        std::vector<float> two(static_cast<std::size_t>(second.size()), -1.0f);
        std::vector<float> back(source.size(), -1.0f);
        reorder(plain(shape), source.data(), first, one.data());
        reorder(first, one.data(), second, two.data());
        reorder(second, two.data(), plain(shape), back.data());
        EXPECT_EQ(back, source) << format_layout(first) << " to " << format_layout(second);
      }
}

TEST(Reorder, FindsEveryElementBetweenAnyTwoLayouts) {
  for (const Shape shape :
       {Shape{2, 3, 5, 7}, {1, 16, 9, 9}, {3, 20, 4, 4}, {2, 37, 1, 1}, {1, 64, 12, 13}}) {
    std::vector<float> source(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i + 1);
    for (const std::int64_t a : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, shape.c})
      for (const std::int64_t b : {std::int64_t{1}, std::int64_t{8}, std::int64_t{16}, shape.c}) {
        const Layout first = make_layout(shape, a), second = make_layout(shape, b);
        std::vector<float> one(static_cast<std::size_t>(first.size()), -1.0f);
        std::vector<float> two(static_cast<std::size_t>(second.size()), -1.0f);
        std::vector<float> back(source.size(), -1.0f);
        reorder(plain(shape), source.data(), first, one.data());
        reorder(first, one.data(), second, two.data());
        // By the definition of a Layout, element for element; the rest is zero.
        std::vector<float> wanted(two.size(), 0.0f);
        for (std::int64_t i = 0; i < shape.size(); ++i) {
          const std::int64_t pixel = i % (shape.h * shape.w), c = i / (shape.h * shape.w) % shape.c;
          const std::int64_t n = i / (shape.h * shape.w) / shape.c;
          const std::int64_t block = (n * second.blocks() + c / second.block) * second.pixels() + pixel;
          wanted[static_cast<std::size_t>(block * second.block + c % second.block)] =
              source[static_cast<std::size_t>(i)];
        }
        EXPECT_EQ(two, wanted) << format_layout(first) << " to " << format_layout(second);
        reorder(second, two.data(), plain(shape), back.data());
        EXPECT_EQ(back, source) << format_layout(second);
      }
  }
}

TEST(Reorder, KeepsTheShape) {
  float x = 0;
  EXPECT_THROW(reorder(plain({1, 1, 1, 1}), &x, plain({1, 2, 1, 1}), &x), std::logic_error);
}

TEST(PreferredBlock, IsTheChips) { EXPECT_EQ(preferred_block(), chip_isa() == Isa::avx512 ? 16 : 8); }

class Bare : public Op {
 public:
  Bare() { info_.params = {3}; }
  void forward(const Forward&) override {}
};

TEST(Op, PacksByCopyingAndHasNoBackwardUnlessItSaysSo) {
  Bare op;
  const std::vector<float> plain{1, 2, 3};
  std::vector<float> packed(3), back(3);
  op.pack(0, plain, packed);
  op.unpack(0, packed, back);
  EXPECT_EQ(back, plain);
  std::vector<float> wrong(4);
  EXPECT_THROW(op.pack(0, plain, wrong), std::logic_error);
  EXPECT_THROW(op.unpack(0, wrong, back), std::logic_error);
  EXPECT_THROW(op.pack(1, plain, packed), std::logic_error);
  EXPECT_THROW(op.backward({}), std::logic_error);
}

}  // namespace
}  // namespace enxerto
