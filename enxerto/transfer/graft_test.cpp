#include "enxerto/transfer/graft.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

Graph net(const std::string& name, int size) {
  return make_net(name, {.image = Shape{1, 3, size, size}, .classes = 10});
}

TEST(Graft, FeaturesAreTheListBeforeTheHeadOrTheLastMapPooled) {
  EXPECT_EQ(usual_cut(net("resnet18", 64)), (Cut{"avgpool"}));
  const Graph squeeze = net("squeezenet1_1", 64);
  const Cut cut = usual_cut(squeeze);
  EXPECT_TRUE(cut.pool);
  EXPECT_EQ(features_of(squeeze, cut).output_shape(), (Shape{.c = 512}));
  EXPECT_EQ(features_of(squeeze, {cut.layer}).output_shape().c, 512);
  EXPECT_GT(features_of(squeeze, {cut.layer}).output_shape().h, 1);
}

TEST(Graft, TheNewHeadHasTheNameOfTheOld) {
  const Graph made = grafted(net("resnet18", 64), {"layer3.1.relu"}, 4);
  EXPECT_EQ(made.node(made.last()).name, "fc");
  EXPECT_EQ(made.output_shape(), (Shape{.c = 4}));
  EXPECT_EQ(made.find_param("fc.weight")->value.shape().c, 256 * 4 * 4);
  EXPECT_FALSE(made.find_param("layer4.0.conv1.weight"));
  EXPECT_EQ(grafted(net("resnet18", 64), {"layer3.1.relu", true}, 4).find_param("fc.weight")->value.shape(),
            (Shape{4, 256}));
}

TEST(Graft, RefusesACutAtOrBehindTheHead) {
  EXPECT_THROW(grafted(net("resnet18", 64), {"fc"}, 4), Error);
  EXPECT_THROW(features_of(net("resnet18", 64), {"nothing"}), Error);
}

}  // namespace
}  // namespace enxerto
