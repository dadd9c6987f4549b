#include "enxerto/tensor/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "enxerto/tensor/half.h"
#include "enxerto/tensor/named_tensors.h"

namespace enxerto {
namespace {

TEST(Tensor, StartsAtZeroAlignedAndMovesItsFloats) {
  Tensor a({.n = 2, .c = 3});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data().data()) % 64, 0u);
  for (const float x : a.data()) EXPECT_EQ(x, 0.0f);
  a.data()[5] = 4;
  Tensor b = std::move(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(b.data()[5], 4.0f);
  Tensor c = b.clone();
  c.data()[5] = 1;
  EXPECT_EQ(b.data()[5], 4.0f);
}

TEST(Tensor, UntouchedOnesAreZeroAlignedAndMoveToo) {
  // 256 KiB, from where memory comes in pages.
  for (const std::int64_t extra : {-17, -1, 0, 1}) {
    Tensor tensor = Tensor::untouched({1, 1, 1, (256 << 10) / 4 + extra});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data().data()) % 64, 0u);
    EXPECT_EQ(std::ranges::count(tensor.data(), 0.0f), tensor.shape().size());
    tensor.data().back() = 3;
    Tensor moved(std::move(tensor));
    EXPECT_EQ(moved.data().back(), 3);
    EXPECT_EQ(moved.clone().data().back(), 3);
    moved = Tensor({1, 1, 1, 2});
    EXPECT_EQ(moved.data().size(), 2u);
    moved = Tensor::untouched({1, 1, 1, 1 << 20});
    EXPECT_EQ(moved.data().back(), 0);
  }
  EXPECT_TRUE(Tensor::untouched({0, 1, 1, 1}).empty());
}

TEST(NamedTensors, SizesOfAnyRankBecomeAShape) {
  EXPECT_EQ(shape_of({}), (Shape{}));
  EXPECT_EQ(shape_of({64}), (Shape{.n = 64}));
  EXPECT_EQ(shape_of({64, 3, 7, 7}), (Shape{64, 3, 7, 7}));
  EXPECT_EQ(shape_of({2, 3, 4, 5, 6}), (Shape{2, 3, 4, 30}));
}

TEST(NamedTensors, AreFoundByName) {
  NamedTensors tensors;
  tensors.push_back({"fc.bias", {10}, Tensor({.n = 10})});
  EXPECT_NE(find_tensor(tensors, "fc.bias"), nullptr);
  EXPECT_EQ(find_tensor(tensors, "fc.weight"), nullptr);
}

TEST(Half, EachIsWhatItsBitsSay) {
  EXPECT_EQ(float_of(0x3C00), 1.0f);
  EXPECT_EQ(float_of(0xC000), -2.0f);
  EXPECT_EQ(float_of(0x0001), 0x1p-24f);
  EXPECT_EQ(float_of(0x7BFF), 65504.0f);
  EXPECT_TRUE(std::isinf(float_of(0x7C00)) && std::isnan(float_of(0x7E01)));
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = float_of(static_cast<std::uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(float_of(half_of(value))));
    else
      EXPECT_EQ(half_of(value), bits);
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const double low = float_of(static_cast<std::uint16_t>(bits)),
                 high = float_of(static_cast<std::uint16_t>(bits + 1));
    const auto middle = static_cast<float>((low + high) / 2);
    EXPECT_EQ(half_of(middle), bits + bits % 2);
    EXPECT_EQ(half_of(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(half_of(std::nextafter(-middle, -1e9f)), 0x8000u | (bits + 1));
  }
  EXPECT_EQ(half_of(65519.0f), 0x7BFF);
  EXPECT_EQ(half_of(65520.0f), 0x7C00);
}

}  // namespace
}  // namespace enxerto
