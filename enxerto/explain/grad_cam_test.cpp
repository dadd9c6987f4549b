#include "enxerto/explain/grad_cam.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/explain/networks_for_tests.h"

namespace enxerto {
namespace {

using namespace tests;

/// Of the largest of them.
double relative_error(const std::vector<double>& wanted, std::span<const float> got) {
  EXPECT_EQ(wanted.size(), got.size());
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < std::min(wanted.size(), got.size()); ++i) {
    error = std::max(error, std::abs(wanted[i] - got[i]));
    largest = std::max(largest, std::abs(wanted[i]));
  }
  return largest > 0 ? error / largest : error;
}

TEST(GradCam, IsPyTorchsOfEveryLayerAndClass) {
  const Graph graph = as_evaluated(golden_graph());
  const Tensor image = golden_image();
  const auto outputs = golden().at("outputs").get<std::vector<double>>();
  int seen = 0, empty = 0;
  for (const auto& wanted : golden().at("cams")) {
    GradCam cam(graph, wanted.at("layer").get<std::string>());
    EXPECT_LT(relative_error(outputs, cam.outputs(image.view())), 1e-5);
    const Heatmap map = cam.map(image.view(), wanted.at("output").get<int>());
    EXPECT_EQ(map.height, wanted.at("height").get<int>());
    EXPECT_EQ(map.width, wanted.at("width").get<int>());
    const auto values = wanted.at("values").get<std::vector<double>>();
    EXPECT_LT(relative_error(values, map.values), 1e-3) << wanted.at("layer") << wanted.at("output");
    ++seen, empty += std::ranges::count(values, 0.0) == std::ssize(values);
  }
  EXPECT_EQ(seen, 20);
  EXPECT_LT(empty, 5);
}

TEST(GradCam, TheSlopeByThePictureIsPyTorchs) {
  const Graph graph = as_evaluated(golden_graph());
  const Tensor image = golden_image();
  Executor executor(graph, {.batch = 1, .train = true, .input_gradient = true});
  for (std::size_t output = 0; output < 4; ++output) {
    executor.forward(image.view());
    Tensor dout({.c = 4});
    dout.data()[output] = 1;
    executor.backward(dout.view());
    EXPECT_LT(relative_error(golden().at("slopes")[output].get<std::vector<double>>(),
                             executor.input_gradient().data),
              1e-4);
  }
}

TEST(GradCam, GivesTheSameBitsAgainAndInAnyOrder) {
  const Graph graph = as_evaluated(golden_graph());
  const Tensor image = golden_image();
  GradCam cam(graph, "relu2");
  const Heatmap first = cam.map(image.view(), 1), other = cam.map(image.view(), 2);
  EXPECT_NE(first, other);
  Tensor changed = image.clone();
  for (float& x : changed.data()) x = -x;
  EXPECT_NE(cam.map(changed.view(), 1), first);
  EXPECT_EQ(cam.map(image.view(), 2), other);
  EXPECT_EQ(cam.map(image.view(), 1), first);
  EXPECT_THROW(cam.map(image.view(), 4), std::logic_error);
}

TEST(GradCam, FindsThePatchThatDecidesTheClass) {
  const Graph graph = as_evaluated(trained_on_planted());
  ASSERT_EQ(last_map(graph), "relu2");
  GradCam cam(graph, "relu2");
  constexpr int pictures = 100;
  int right = 0, found = 0;
  for (std::uint64_t i = 0; i < pictures; ++i) {
    const Planted picture = planted(Rng(2).child(i));
    const auto outputs = cam.outputs(picture.image.view());
    const int told = outputs[1] > outputs[0];
    right += told == picture.label;
    found += lies_in_patch(highest(cam.map(picture.image.view(), told), 32, 32), picture);
  }
  EXPECT_GE(right, 97);
  EXPECT_GE(found, 95) << "of " << pictures;
}

}  // namespace
}  // namespace enxerto
