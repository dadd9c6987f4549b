#include "enxerto/graph/summary.h"

#include <gtest/gtest.h>

namespace enxerto {
namespace {

Graph counted_graph() {
  Graph graph;
  const NodeId image = graph.input({.c = 4, .h = 8, .w = 8});
  const NodeId conv = graph.add(
      "conv", Conv2d{.out = 6, .kernel = 3, .stride = 2, .pad = 1, .groups = 2, .bias = false}, {image});
  const NodeId bn = graph.add("bn", BatchNorm{}, {conv});
  graph.add("fc", Linear{.out = 10}, {bn});
  return graph;
}

TEST(Summary, CountsParametersAndMultiplyAddsByHand) {
  const Summary summary = summarize(counted_graph());
  ASSERT_EQ(summary.layers.size(), 4u);
  EXPECT_EQ(summary.layers[1].output, (Shape{1, 6, 4, 4}));
  EXPECT_EQ(summary.layers[1].parameters, 6 * 2 * 9);
  EXPECT_EQ(summary.layers[1].multiply_adds, 6 * 2 * 9 * 16);
  EXPECT_EQ(summary.layers[2].parameters, 12);
  EXPECT_EQ(summary.layers[2].multiply_adds, 0);
  EXPECT_EQ(summary.layers[3].parameters, 10 * 96 + 10);
  EXPECT_EQ(summary.layers[3].multiply_adds, 10 * 96);
  EXPECT_EQ(summary.parameters, 108 + 12 + 970);
  EXPECT_EQ(summary.trainable, summary.parameters);
  EXPECT_EQ(summary.non_trainable, 0);
}

TEST(Summary, KerasCountsRunningStatisticsAndPyTorchDoesNot) {
  const Summary keras = summarize(counted_graph(), SummaryStyle::keras);
  EXPECT_EQ(keras.parameters, 108 + 24 + 970);
  EXPECT_EQ(keras.non_trainable, 12);
}

TEST(Summary, WhatIsFrozenIsNotTrainable) {
  Graph graph = counted_graph();
  graph.freeze("conv");
  const Summary summary = summarize(graph);
  EXPECT_EQ(summary.trainable, 12 + 970);
  EXPECT_EQ(summary.non_trainable, 108);
}

TEST(Summary, IsATableForPeople) {
  EXPECT_EQ(format_summary(summarize(counted_graph())),
            "Layer  Kind        Output     Parameters  Multiply-adds  Activations\n"
            "--------------------------------------------------------------------\n"
            "input  input       4 x 8 x 8           0              0      1.0 KiB\n"
            "conv   conv2d      6 x 4 x 4         108          1,728        384 B\n"
            "bn     batch_norm  6 x 4 x 4          12              0        384 B\n"
            "fc     linear      10                970            960         40 B\n"
            "--------------------------------------------------------------------\n"
            "Parameters:    1,090 (4.3 KiB)\n"
            "Trainable:     1,090\n"
            "Non-trainable: 0\n"
            "Multiply-adds: 2,688 for one picture\n");
}

TEST(Summary, JsonHasTheKeysThatScriptsCountOn) {
  const auto json = summary_to_json(summarize(counted_graph()));
  for (const char* key : {"layers", "parameters", "trainable", "non_trainable"})
    EXPECT_TRUE(json.contains(key));
  for (const char* key : {"name", "kind", "output", "parameters", "multiply_adds"})
    EXPECT_TRUE(json["layers"][1].contains(key));
  EXPECT_EQ(json["layers"][1]["output"], nlohmann::json::parse("[6, 4, 4]"));
}

}  // namespace
}  // namespace enxerto
