#include "enxerto/tensor/tensor.h"

#include <gtest/gtest.h>

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
