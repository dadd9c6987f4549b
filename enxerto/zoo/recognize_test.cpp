// Files of bare weights are told apart by names and sizes alone, so these have no numbers in them unless a
// test looks at some.
#include "enxerto/zoo/recognize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Dims = std::vector<std::int64_t>;

NamedTensor tensor(std::string name, Dims dims) {
  const Shape shape = shape_of(dims);
  return {std::move(name), std::move(dims), Tensor::untouched(shape)};
}

Dims dims_of(const ParamSpec& spec) {
  const std::array<std::int64_t, 4> sizes = {spec.shape.n, spec.shape.c, spec.shape.h, spec.shape.w};
  return {sizes.begin(), sizes.begin() + spec.rank};
}

/// A file with the net's own names; `keep` says which tensors are in it.
template <class Keep>
ConventionalWeights file_of(const Graph& graph, Keep keep) {
  ConventionalWeights made;
  for (const Param& param : graph.params())
    if (keep(param.name)) made.tensors.push_back(tensor(param.name, dims_of(param.spec)));
  return made;
}
ConventionalWeights file_of(const Graph& graph) {
  return file_of(graph, [](const std::string&) { return true; });
}

/// The same under an alias.
ConventionalWeights file_of(const Graph& graph, const Alias& alias) {
  ConventionalWeights made{.tensors = {}, .convention = alias.convention};
  for (const Node& node : graph.nodes())
    for (const int place : node.params) {
      const ParamSpec& spec = graph.params()[static_cast<std::size_t>(place)].spec;
      const auto found = alias.names.find(node.name);
      const std::string& layer = found == alias.names.end() ? node.name : found->second;
      made.tensors.push_back(tensor(layer + "." + spec.name, dims_of(spec)));
    }
  return made;
}

/// The one net that it is; empty where there is none or more than one.
std::optional<Match> recognized(const ConventionalWeights& weights) {
  const std::vector<Match> best = best_of(match_zoo(weights));
  if (best.size() != 1) return std::nullopt;
  return best.front();
}
std::string name_of(const std::optional<Match>& match) {
  return match ? std::string(match->net->name) : "nothing";
}

/// Nets whose weights are those of another: normalisation has none.
const std::map<std::string_view, std::string_view> twins = {{"vgg11_lrn", "vgg11"},
                                                            {"vgg11_lrn_bn", "vgg11_bn"}};

class EveryNet : public testing::TestWithParam<std::string_view> {};
TEST_P(EveryNet, IsRecognizedByItsOwnNames) {
  const std::string_view net = GetParam();
  const Graph graph = make_net(net);
  const ConventionalWeights file = file_of(graph);
  const std::optional<Match> match = recognized(file);
  const auto twin = twins.find(net);
  EXPECT_EQ(name_of(match), twin == twins.end() ? net : twin->second);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->cut, "");
  EXPECT_EQ(match->classes, find_net(net).classes);
  EXPECT_EQ(match->fitting, static_cast<int>(graph.params().size()));
  // By its name it fits too, twin or not.
  EXPECT_TRUE(match_net(find_net(net), file).front().fits());
}
TEST_P(EveryNet, IsRecognizedByOtherNamesAndWithOtherClasses) {
  const std::string_view net = GetParam();
  const Graph graph = make_net(net, {.classes = 7});
  std::vector<std::optional<Alias>> names{std::nullopt};
  for (Alias& alias : aliases_of(net)) names.emplace_back(std::move(alias));
  for (const std::optional<Alias>& alias : names) {
    const std::optional<Match> match = recognized(alias ? file_of(graph, *alias) : file_of(graph));
    ASSERT_TRUE(match);
    const auto twin = twins.find(net);
    EXPECT_EQ(name_of(match), twin == twins.end() ? net : twin->second);
    EXPECT_EQ(match->classes, 7);
    EXPECT_EQ(match->cut, "");
    EXPECT_EQ(match->program, alias ? alias->program : "");
  }
}
TEST_P(EveryNet, IsATrunkWithoutItsTop) {
  const std::string_view net = GetParam();
  const Graph trunk = make_net(net, {.include_top = false});
  const ConventionalWeights file = file_of(trunk);
  const std::optional<Match> match = recognized(file);
  // GoogLeNet's auxiliary heads are no part of its trunk, and the trunks of VGG end before any twin differs.
  std::string_view wanted = net;
  if (const auto twin = twins.find(net); twin != twins.end()) wanted = twin->second;
  if (net == "googlenet_aux") wanted = "googlenet";
  EXPECT_EQ(name_of(match), wanted);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->cut, trunk.node(trunk.last()).name);
}
INSTANTIATE_TEST_SUITE_P(Zoo, EveryNet, testing::ValuesIn([] {
                           std::vector<std::string_view> names;
                           for (const NetInfo& net : nets()) names.push_back(net.name);
                           return names;
                         }()),
                         [](const auto& tested) {
                           std::string name(tested.param);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST(Recognizing, GooglenetDoesWithoutItsAuxiliaryHeads) {
  const ConventionalWeights file = file_of(make_net("googlenet_aux"));
  EXPECT_EQ(name_of(recognized(file)), "googlenet_aux");
  const Match plain = match_net(find_net("googlenet"), file).front();
  EXPECT_TRUE(plain.fits()) << plain.problems.front();
  EXPECT_EQ(plain.cut, "");
  ASSERT_FALSE(plain.unused.empty());
  EXPECT_EQ(plain.unused.front(), "aux1.conv.bn.bias");
  EXPECT_TRUE(
      std::ranges::all_of(plain.unused, [](const std::string& name) { return name.starts_with("aux"); }));
  // The sizes in torchvision's file.
  const Graph graph = make_net("googlenet_aux");
  EXPECT_EQ(dims_of(graph.find_param("aux1.conv.conv.weight")->spec), (Dims{128, 512, 1, 1}));
  EXPECT_EQ(dims_of(graph.find_param("aux2.conv.conv.weight")->spec), (Dims{128, 528, 1, 1}));
  EXPECT_EQ(dims_of(graph.find_param("aux2.fc1.weight")->spec), (Dims{1024, 2048}));
  EXPECT_EQ(dims_of(graph.find_param("aux1.fc2.weight")->spec), (Dims{1000, 1024}));
}

TEST(Recognizing, ATrunkEndsWhereTheWeightsDo) {
  // All but the last of three linear layers: what they make is kept, without the dropout behind it.
  const ConventionalWeights file =
      file_of(make_net("vgg16"), [](const std::string& name) { return !name.starts_with("classifier.6"); });
  const std::optional<Match> match = recognized(file);
  EXPECT_EQ(name_of(match), "vgg16");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->cut, "classifier.4");
  // A hole is no end.
  const ConventionalWeights holed = file_of(
      make_net("resnet18"), [](const std::string& name) { return !name.starts_with("layer2.0.conv1"); });
  EXPECT_FALSE(recognized(holed));
}

TEST(Recognizing, SeesThroughWrappersAndCounters) {
  for (const char* prefix : {"", "module.", "state_dict.module.", "model.", "_orig_mod."}) {
    ConventionalWeights file = file_of(make_net("resnet18"));
    file.tensors.push_back(tensor("bn1.num_batches_tracked", {}));
    for (NamedTensor& each : file.tensors) each.name = prefix + each.name;
    EXPECT_EQ(name_of(recognized(to_our_convention(std::move(file.tensors), "file"))), "resnet18") << prefix;
  }
}

TEST(Recognizing, CaffesBlobsGoByNumberAndByName) {
  const auto numbered = [](const Graph& graph) {
    NamedTensors made;
    for (const Param& param : graph.params()) {
      const std::size_t dot = param.name.rfind('.');
      const std::string layer = param.name.substr(0, dot), role = param.name.substr(dot + 1);
      Dims dims = dims_of(param.spec);
      const bool of_norm = graph.find_param(layer + ".running_mean") != nullptr;
      if (!of_norm) {
        while (dims.size() < 4) dims.insert(dims.begin(), 1);  // as files of early Caffe have them
        made.push_back(tensor(layer + (role == "weight" ? ".0" : ".1"), std::move(dims)));
      } else if (role == "weight" || role == "bias") {
        made.push_back(tensor("scale" + layer.substr(2) + (role == "weight" ? ".0" : ".1"), dims));
      } else {
        made.push_back(tensor(layer + (role == "running_mean" ? ".0" : ".1"), dims));
        if (role == "running_mean") made.push_back(tensor(layer + ".2", {1}));
      }
    }
    return made;
  };
  for (const char* net : {"squeezenet1_0_caffe", "squeezenet1_1_caffe", "resnet18_caffe", "resnet50_caffe",
                          "resnet152_caffe", "alexnet_caffe", "zfnet"}) {
    ConventionalWeights weights = to_our_convention(numbered(make_net(net)), "file");
    EXPECT_EQ(weights.convention, Convention::caffe);
    const std::optional<Match> match = recognized(weights);
    EXPECT_EQ(name_of(match), net);
    ASSERT_TRUE(match);
    EXPECT_EQ(match->classes, 1000);
    EXPECT_EQ(name_of(recognized(to_our_convention(file_of(make_net(net)).tensors, "file"))), net);
  }
}

TEST(Recognizing, WhatFitsNothingIsNothing) {
  EXPECT_FALSE(recognized({}));
  ConventionalWeights one;
  one.tensors.push_back(tensor("conv1.weight", {1, 2, 3, 4}));
  EXPECT_FALSE(recognized(one));
  ConventionalWeights more = file_of(make_net("resnet18"));
  more.tensors.push_back(tensor("extra.weight", {3}));
  EXPECT_FALSE(recognized(more));
  // Sizes that no head could have.
  ConventionalWeights huge = file_of(make_net("lenet5"));
  for (NamedTensor& each : huge.tensors)
    if (each.name == "fc3.weight") each = tensor("fc3.weight", {200'000, 84});
  EXPECT_FALSE(recognized(huge));
}

TEST(Adopting, TimmsMobilenetV3HasItsOwnEps) {
  const Graph graph = make_net("mobilenet_v3_small");
  const std::vector<Alias> aliases = aliases_of("mobilenet_v3_small");
  ConventionalWeights file = file_of(graph, aliases.front());
  for (NamedTensor& each : file.tensors)
    if (each.name == "blocks.1.0.bn2.weight") each.value.data()[3] = 7;
  const std::optional<Match> match = recognized(file);
  ASSERT_TRUE(match);
  EXPECT_FALSE(match->doubt.empty());
  const Graph made = make_matched(*match, file, std::nullopt, true, "file");
  for (const Node& node : made.nodes())
    if (const auto* norm = std::get_if<BatchNorm>(&node.layer)) {
      EXPECT_EQ(norm->eps, 1e-5f) << node.name;
    }
  EXPECT_EQ(made.find_param("features.2.block.1.1.weight")->value.data()[3], 7);
}

TEST(Adopting, PutsTheInputsOfALinearLayerInOurOrder) {
  const Shape in{.c = 2, .h = 1, .w = 3};
  // Keras's column of row y, column x, channel c; ours in the order of c, y, x.
  std::vector<float> weight = {0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112};
  reorder_columns(weight, 2, in);
  EXPECT_EQ(weight, (std::vector<float>{0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112}));

  // The whole way: a file of Keras with LeNet's names.
  const Graph graph = make_net("lenet5");
  ConventionalWeights file = file_of(graph);
  file.convention = Convention::keras;
  NamedTensor& fc1 = *std::ranges::find(file.tensors, "fc1.weight", &NamedTensor::name);
  std::iota(fc1.value.data().begin(), fc1.value.data().end(), 0.0f);
  const std::optional<Match> match = recognized(file);
  ASSERT_TRUE(match);
  const Graph made = make_matched(*match, file, std::nullopt, true, "file");
  const std::span<const float> got = made.find_param("fc1.weight")->value.data();
  const Shape pooled{.c = 16, .h = 5, .w = 5};
  for (std::int64_t c = 0; c < pooled.c; ++c)
    for (std::int64_t pixel = 0; pixel < 25; ++pixel) {
      const float ours = got[static_cast<std::size_t>(400 + c * 25 + pixel)];  // the second output's
      ASSERT_EQ(ours, static_cast<float>(400 + pixel * pooled.c + c));
    }
  // PyTorch's are in our order.
  file.convention = Convention::torch;
  EXPECT_EQ(make_matched(*match, file, std::nullopt, true, "file").find_param("fc1.weight")->value.data()[1],
            1.0f);
}

}  // namespace
}  // namespace enxerto
