#include "enxerto/transfer/proof.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "enxerto/transfer/pictures_for_tests.h"

namespace enxerto {
namespace {

Param& param_of(Graph& graph, std::string_view name) {
  for (Param& param : graph.params())
    if (param.name == name) return param;
  throw std::logic_error("no such parameter");
}

TEST(Proof, HoldsWhereNothingFrozenMoved) {
  const Graph before = network();
  Graph after = before.clone();
  for (float& w : param_of(after, "head.weight").value.data()) w *= 1.5f;
  const auto changes = compare_layers(before, after, {"head"});
  EXPECT_TRUE(broken_promises(changes).empty());
  EXPECT_NEAR(changes.back().moved, 0.5, 1e-6);
  EXPECT_EQ(to_json(changes).at("frozen_same"), 4);
}

TEST(Proof, NamesTheLayerWhoseStatisticsMovedByTheLastBit) {
  const Graph before = network();
  Graph after = before.clone();
  float& mean = param_of(after, "stem.bn.running_mean").value.data()[3];
  mean = std::nextafter(mean, 1.0f);
  EXPECT_EQ(broken_promises(compare_layers(before, after, {"head"})), (std::vector<std::string>{"stem.bn"}));
}

}  // namespace
}  // namespace enxerto
