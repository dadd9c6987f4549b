/// For the families: layers that follow each other.
#pragma once

#include <string>
#include <utility>

#include "enxerto/graph/graph.h"

namespace enxerto {

/// A place in a graph, which has to outlive it; each layer added moves on. A copy is a branch.
class Chain {
 public:
  Chain(Graph& net, NodeId from) : net_(&net), at_(from) {}

  Chain& then(std::string name, AnyLayer layer) {
    at_ = net_->add(std::move(name), std::move(layer), {at_});
    return *this;
  }
  Chain& activate(std::string name, Activation function = Activation::relu) {
    return then(std::move(name), Activate{function});
  }
  /// Without a bias, as the shift of the batch norm does its work.
  Chain& conv_bn(std::string conv, Conv2d layer, std::string bn, BatchNorm norm = {}) {
    layer.bias = false;
    return then(std::move(conv), layer).then(std::move(bn), norm);
  }
  /// This and another branch of one shape.
  Chain& plus(std::string name, NodeId other) {
    at_ = net_->add(std::move(name), Add{}, {at_, other});
    return *this;
  }

  NodeId end() const { return at_; }
  int channels() const { return static_cast<int>(net_->node(at_).out.c); }

 private:
  Graph* net_;
  NodeId at_;
};

}  // namespace enxerto
