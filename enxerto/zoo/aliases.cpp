#include "enxerto/zoo/aliases.h"

#include <array>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

/// Names of a net's nodes of this kind, in order.
template <class L>
std::vector<std::string> nodes_with(std::string_view net) {
  std::vector<std::string> names;
  const Graph graph = make_net(net);
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<L>(node.layer)) names.push_back(node.name);
  return names;
}

std::unordered_map<std::string, std::string> paired(const std::vector<std::string>& ours,
                                                    const std::vector<std::string>& theirs) {
  ensure(ours.size() == theirs.size(), "an alias names every layer");
  std::unordered_map<std::string, std::string> names;
  for (std::size_t i = 0; i < ours.size(); ++i) names.emplace(ours[i], theirs[i]);
  return names;
}

// ---- VGG: Keras counts blocks and has names for the dense layers; timm keeps torchvision's features.

/// Convolutions in each of the five blocks.
std::array<int, 5> vgg_blocks(std::string_view net) {
  if (net == "vgg16") return {2, 2, 3, 3, 3};
  return {2, 2, 4, 4, 4};
}

Alias keras_vgg(std::string_view net) {
  std::vector<std::string> ours = nodes_with<Conv2d>(net), theirs;
  const std::array<int, 5> blocks = vgg_blocks(net);
  for (std::size_t block = 0; block < blocks.size(); ++block)
    for (int i = 1; i <= blocks[block]; ++i) theirs.push_back(text("block", block + 1, "_conv", i));
  for (const char* name : {"classifier.0", "classifier.3", "classifier.6"}) ours.emplace_back(name);
  for (const char* name : {"fc1", "fc2", "predictions"}) theirs.emplace_back(name);
  return {"Keras applications", Convention::keras, Normalization::caffe_keras, paired(ours, theirs)};
}

Alias timm_vgg() {
  return {
      "timm",
      Convention::torch,
      Normalization::imagenet,
      {{"classifier.0", "pre_logits.fc1"}, {"classifier.3", "pre_logits.fc2"}, {"classifier.6", "head.fc"}}};
}

// ---- MobileNetV2 in timm: seven stages of blocks, the first of which has no expansion.

Alias timm_mobilenet_v2() {
  constexpr std::array<int, 7> blocks = {1, 2, 3, 4, 3, 3, 1};
  std::vector<std::string> convs{"conv_stem"}, norms{"bn1"};
  for (std::size_t stage = 0; stage < blocks.size(); ++stage)
    for (int i = 0; i < blocks[stage]; ++i) {
      const std::string block = text("blocks.", stage, ".", i, ".");
      const std::vector<std::string> parts = stage == 0
                                                 ? std::vector<std::string>{"conv_dw", "conv_pw"}
                                                 : std::vector<std::string>{"conv_pw", "conv_dw", "conv_pwl"};
      for (std::size_t part = 0; part < parts.size(); ++part) {
        convs.push_back(block + parts[part]);
        norms.push_back(text(block, "bn", part + 1));
      }
    }
  convs.emplace_back("conv_head");
  norms.emplace_back("bn2");
  auto names = paired(nodes_with<Conv2d>("mobilenet_v2"), convs);
  names.merge(paired(nodes_with<BatchNorm>("mobilenet_v2"), norms));
  names.emplace("classifier.1", "classifier");
  return {"timm", Convention::torch, Normalization::imagenet, std::move(names)};
}

}  // namespace

std::vector<Alias> aliases_of(std::string_view net) {
  if (net == "vgg16" || net == "vgg19") return {timm_vgg(), keras_vgg(net)};
  if (net.starts_with("vgg") && net != "vgg16_c" && net != "vgg16_c_bn") return {timm_vgg()};
  if (net == "mobilenet_v2") return {timm_mobilenet_v2()};
  return {};
}

}  // namespace enxerto
