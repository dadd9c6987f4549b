#include "enxerto/interop/names.h"

#include <gtest/gtest.h>

namespace enxerto {
namespace {

TEST(NodeNames, AreFreeAndPrintable) {
  NameGiver names;
  EXPECT_EQ(names.give("conv1"), "conv1");
  EXPECT_EQ(names.give("conv1"), "conv1_2");
  EXPECT_EQ(names.give("conv1_2"), "conv1_2_2");
  EXPECT_EQ(names.give("conv1"), "conv1_3");
  EXPECT_EQ(names.give("input"), "input_2");
  EXPECT_EQ(names.give(""), "layer");
  EXPECT_EQ(names.give(std::string_view("a\nb\0c", 5)), "a_b_c");
  EXPECT_EQ(names.give("coração"), "coração");
  EXPECT_EQ(names.give("\xC0\xAF\xED\xA0\x80\xFF"), "______");
  EXPECT_EQ(names.give(std::string(1000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace enxerto
