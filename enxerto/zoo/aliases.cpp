#include "enxerto/zoo/aliases.h"

#include <array>
#include <utility>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

using Names = std::vector<std::string>;
using Pairs = std::unordered_map<std::string, std::string>;

/// Names of a graph's nodes of this kind, in order.
template <class L>
Names nodes_with(const Graph& graph) {
  Names names;
  for (const Node& node : graph.nodes())
    if (std::holds_alternative<L>(node.layer)) names.push_back(node.name);
  return names;
}

Pairs paired(const Names& ours, const Names& theirs) {
  ensure(ours.size() == theirs.size(), "an alias names every layer");
  Pairs names;
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
  Names ours = nodes_with<Conv2d>(make_net(net)), theirs;
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

// ---- ResNet-50 of Keras before 2.2.5, which had Caffe's names and its own usual eps.

Alias old_keras_resnet50() {
  constexpr std::array<int, 4> blocks = {3, 4, 6, 3};
  const std::array<std::string, 4> branches = {"branch1", "branch2a", "branch2b", "branch2c"};
  Pairs names = {{"conv1_conv", "conv1"}, {"conv1_bn", "bn_conv1"}, {"predictions", "fc1000"}};
  for (std::size_t stage = 0; stage < blocks.size(); ++stage)
    for (int i = 0; i < blocks[stage]; ++i)
      for (std::size_t part = 0; part < branches.size(); ++part) {
        const std::string ours = text("conv", stage + 2, "_block", i + 1, "_", part, "_");
        const std::string theirs =
            text(stage + 2, std::string(1, static_cast<char>('a' + i)), "_", branches[part]);
        names.emplace(ours + "conv", "res" + theirs);
        names.emplace(ours + "bn", "bn" + theirs);
      }
  return {.program = "early Keras applications",
          .convention = Convention::keras,
          .normalization = Normalization::caffe_keras,
          .names = std::move(names),
          .batch_norm_eps = 1e-3f};
}

// ---- MobileNets

/// Keras applications before 2.3 call the head of MobileNetV2 so.
Alias old_keras_mobilenet_v2() {
  return {"early Keras applications", Convention::keras, Normalization::half, {{"predictions", "Logits"}}};
}

/// Keras 2 divides the names of MobileNetV3 by slashes: "expanded_conv_1/expand/BatchNorm".
Alias keras2_mobilenet_v3(std::string_view net) {
  const std::array<std::pair<std::string_view, std::string_view>, 4> fixed = {
      {{"conv", "Conv"}, {"conv_1", "Conv_1"}, {"conv_2", "Conv_2"}, {"logits", "Logits"}}};
  Pairs names;
  const Graph graph = make_net(net);
  for (const Node& node : graph.nodes()) {
    if (node.params.empty()) continue;
    std::string stem = node.name;
    const bool is_norm = stem.ends_with("_bn");
    if (is_norm) stem.resize(stem.size() - 3);
    for (const auto& [ours, theirs] : fixed)
      if (stem == ours) {
        stem = theirs;
        break;
      }
    if (const std::size_t last = stem.rfind('_'); stem.starts_with("expanded_conv")) stem[last] = '/';
    names.emplace(node.name, is_norm ? stem + "/BatchNorm" : stem);
  }
  return {"Keras 2 applications", Convention::keras, Normalization::half, std::move(names)};
}

/// timm's names for the convolutions and batch norms of a stack of inverted residuals: "blocks.2.0.conv_dw".
/// The first stage's block has no expansion.
class TimmBlocks {
 public:
  /// `stages`: how many blocks each has.
  TimmBlocks(const Graph& graph, std::span<const int> stages) : graph_(graph), stages_(stages) {}

  /// Pairs of every node of the blocks and of the stem.
  Pairs names() {
    Names convs{"conv_stem"}, norms{"bn1"};
    for (const Node& node : graph_.nodes()) {
      const auto* conv = std::get_if<Conv2d>(&node.layer);
      if (!conv || std::exchange(at_stem_, false)) continue;
      if (stage_ == stages_.size()) break;
      add(node, *conv, convs, norms);
    }
    Names our_convs = nodes_with<Conv2d>(graph_), our_norms = nodes_with<BatchNorm>(graph_);
    our_convs.resize(convs.size());
    our_norms.resize(norms.size());
    Pairs made = paired(our_convs, convs);
    made.merge(paired(our_norms, norms));
    return made;
  }

 private:
  void add(const Node& node, const Conv2d& conv, Names& convs, Names& norms) {
    const std::string block = text("blocks.", stage_, ".", block_, ".");
    if (node.name.ends_with(".fc1") || node.name.ends_with(".fc2")) {
      convs.push_back(block + (node.name.ends_with('1') ? "se.conv_reduce" : "se.conv_expand"));
      return;
    }
    const bool is_depthwise = conv.groups > 1, ends = !is_depthwise && was_depthwise_;
    convs.push_back(block + (is_depthwise ? "conv_dw" : ends && stage_ > 0 ? "conv_pwl" : "conv_pw"));
    norms.push_back(text(block, "bn", ++part_));
    was_depthwise_ = is_depthwise;
    if (!ends) return;
    part_ = 0;
    if (++block_ < stages_[stage_]) return;
    block_ = 0;
    ++stage_;
  }

  const Graph& graph_;
  std::span<const int> stages_;
  bool at_stem_ = true, was_depthwise_ = false;
  std::size_t stage_ = 0;
  int block_ = 0, part_ = 0;
};

Alias timm_mobilenet_v2() {
  constexpr std::array<int, 7> stages = {1, 2, 3, 4, 3, 3, 1};
  Pairs names = TimmBlocks(make_net("mobilenet_v2"), stages).names();
  names.merge(
      Pairs{{"features.18.0", "conv_head"}, {"features.18.1", "bn2"}, {"classifier.1", "classifier"}});
  return {"timm", Convention::torch, Normalization::imagenet, std::move(names)};
}

/// The last convolution is a stage of its own, the first layer of the head a convolution.
Alias timm_mobilenet_v3(std::string_view net) {
  constexpr std::array<int, 5> small = {1, 2, 3, 2, 3};
  constexpr std::array<int, 6> large = {1, 2, 3, 4, 2, 3};
  const bool is_small = net.starts_with("mobilenet_v3_small"), is_keras = net.ends_with("_minimalistic");
  const std::span<const int> stages = is_small ? std::span<const int>(small) : std::span<const int>(large);
  Pairs names = TimmBlocks(make_net(net), stages).names();
  const std::string end = text("blocks.", stages.size(), ".0."), last = is_small ? "12" : "16";
  if (is_keras) {
    names.merge(Pairs{{"conv_1", end + "conv"},
                      {"conv_1_bn", end + "bn1"},
                      {"conv_2", "conv_head"},
                      {"logits", "classifier"}});
    return {"timm", Convention::torch, Normalization::half, std::move(names)};
  }
  names.merge(Pairs{{"features." + last + ".0", end + "conv"},
                    {"features." + last + ".1", end + "bn1"},
                    {"classifier.0", "conv_head"},
                    {"classifier.3", "classifier"}});
  return {.program = "timm",
          .convention = Convention::torch,
          .normalization = Normalization::imagenet,
          .names = std::move(names),
          .batch_norm_eps = 1e-5f,
          .doubt =
              "timm's tf_mobilenetv3 have the same names and sizes, but other padding and eps: weights "
              "of those would compute something else here"};
}

}  // namespace

std::vector<Alias> aliases_of(std::string_view net) {
  std::vector<Alias> made;
  if (net == "vgg16" || net == "vgg19") made.push_back(keras_vgg(net));
  if (net.starts_with("vgg") && net != "vgg16_c" && net != "vgg16_c_bn") made.push_back(timm_vgg());
  if (net == "resnet50_keras") made.push_back(old_keras_resnet50());
  if (net == "mobilenet_v2") made.push_back(timm_mobilenet_v2());
  if (net == "mobilenet_v2_keras") made.push_back(old_keras_mobilenet_v2());
  if (net.starts_with("mobilenet_v3")) made.push_back(timm_mobilenet_v3(net));
  if (net.starts_with("mobilenet_v3") && net.ends_with("_minimalistic"))
    made.push_back(keras2_mobilenet_v3(net));
  return made;
}

std::span<const std::string_view> dispensable_prefixes(std::string_view net) {
  // torchvision trains GoogLeNet with its auxiliary heads and publishes them with the rest.
  static constexpr std::array<std::string_view, 2> auxiliary = {"aux1.", "aux2."};
  if (net == "googlenet") return auxiliary;
  return {};
}

}  // namespace enxerto
