#include "enxerto/interop/names.h"

#include <gtest/gtest.h>

namespace enxerto {
namespace {

TEST(NodeNames, AreFreeAndPrintable) {
  Graph graph;
  graph.input({.c = 1, .h = 2, .w = 2});
  EXPECT_EQ(free_node_name(graph, "conv1"), "conv1");
  EXPECT_EQ(free_node_name(graph, "input"), "input_2");
  EXPECT_EQ(free_node_name(graph, ""), "layer");
  EXPECT_EQ(free_node_name(graph, std::string_view("a\nb\0c", 5)), "a_b_c");
  EXPECT_EQ(free_node_name(graph, "coração"), "coração");
  EXPECT_EQ(free_node_name(graph, "\xC0\xAF\xED\xA0\x80\xFF"), "______");
  EXPECT_EQ(free_node_name(graph, std::string(1000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace enxerto
