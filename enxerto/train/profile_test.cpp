#include "enxerto/train/profile.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

Graph small_net() {
  Graph graph = make_net("lenet5", {});
  graph.init({}, Rng(1));
  return graph;
}

const Peak some_peak{"made up", 10, 1};

TEST(Profile, CountsWhatALayerMultipliesAndMoves) {
  Graph graph;
  const NodeId input = graph.input({.n = 1, .c = 16, .h = 10, .w = 10});
  graph.add("conv", Conv2d{.out = 32, .bias = false}, {input});
  graph.init({}, Rng(1));
  StepJob job(std::move(graph), {.batch = 4, .lower = false});
  const Profile made = profile(job, 3, some_peak);
  double gflop = 0;
  for (const ProfileRow& row : made.rows)
    if (row.node == "conv") {
      gflop += row.gflops * row.seconds;
      EXPECT_NEAR(row.gbytes * row.seconds * 1e9, 4.0 * (4 * 16 * 100 + 4 * 32 * 100 + 16 * 32), 1);
    }
  EXPECT_NEAR(gflop * 1e9, 2.0 * 4 * 32 * 100 * 16, 1);
  EXPECT_EQ(made.seconds.size(), 3u);
  EXPECT_EQ(made.median, made.seconds[1]);
}

TEST(Profile, OfATrainingStepHasBothDirectionsAndItsMemory) {
  StepJob job(small_net(), {.batch = 8, .train = true});
  const Profile made = profile(job, 2, some_peak);
  EXPECT_EQ(made.median, (made.seconds[0] + made.seconds[1]) / 2);
  bool forward = false, backward = false;
  for (const ProfileRow& row : made.rows) {
    (row.backward ? backward : forward) = true;
    EXPECT_LE(row.live_bytes, made.arena_bytes);
    EXPECT_LE(row.live_bytes, made.rows[made.peak_row].live_bytes);
    EXPECT_GE(row.share, 0);
  }
  EXPECT_TRUE(forward && backward);
  EXPECT_GT(made.rows[made.peak_row].live_bytes, made.arena_bytes / 2);
  const std::string told = format_profile(made);
  EXPECT_NE(told.find("between the layers"), std::string::npos);
  EXPECT_NE(told.find("10 GFLOP/s"), std::string::npos);
  const nlohmann::json json = profile_to_json(made);
  EXPECT_EQ(json["profile"].size(), made.rows.size());
  EXPECT_EQ(json["peak_live_bytes"], made.rows[made.peak_row].live_bytes);
}

TEST(Profile, RefusesToTrainWhatCannotBe) {
  Graph frozen = small_net();
  frozen.freeze("");
  EXPECT_THROW(StepJob(frozen.clone(), {.batch = 2, .train = true}), Error);
  Graph map;
  const NodeId input = map.input({.n = 1, .c = 3, .h = 8, .w = 8});
  map.add("conv", Conv2d{.out = 4, .kernel = 3}, {input});
  EXPECT_THROW(StepJob(map.clone(), {.batch = 2, .train = true}), Error);
  StepJob answers(std::move(map), {.batch = 2});
  EXPECT_GT(answers.run(), 0);
}

}  // namespace
}  // namespace enxerto
