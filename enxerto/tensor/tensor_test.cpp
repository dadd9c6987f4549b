#include "enxerto/tensor/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

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

}  // namespace
}  // namespace enxerto
