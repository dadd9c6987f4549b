/// Penalties on weights and clipping of gradients, as values that the optimizer applies while it reads the
/// gradients: the gradients themselves stay as they are.
#pragma once

#include <span>

#include "enxerto/graph/executor.h"

namespace enxerto {

/// l1 sum |w| + l2 / 2 sum w^2, over what decays (weights; not biases and batch norm). With both it is the
/// elastic net (Zou & Hastie 2005). With l2 alone it is what PyTorch calls the weight_decay of SGD and
/// Adam. Decoupled weight decay is a value of the optimizers.
struct Penalty {
  double l1 = 0, l2 = 0;
  static constexpr auto fields = std::tuple{field("l1", &Penalty::l1), field("l2", &Penalty::l2)};
  bool any() const { return l1 != 0 || l2 != 0; }
  friend bool operator==(const Penalty&, const Penalty&) = default;
};

/// scikit-learn's way to say it: alpha ratio |w| + alpha (1 - ratio) / 2 w^2.
constexpr Penalty elastic_net(double alpha, double ratio) { return {alpha * ratio, alpha * (1 - ratio)}; }

/// The gradient that an optimizer sees: scale (g + l1 sign(w) + l2 w), with sign(0) = 0.
struct Shaping {
  Penalty penalty = {};
  double scale = 1;
};

/// What the penalty adds to the loss.
double penalty_of(const Penalty& penalty, std::span<const Update> updates);

/// The 2-norm of all gradients together, the penalty's included. The same bits for any number of threads.
double gradient_norm(std::span<const Update> updates, const Penalty& penalty = {});

/// The factor that brings a gradient of this norm down to `most`; 1 where it is small enough or most is 0.
/// As torch.nn.utils.clip_grad_norm_: most / (norm + 1e-6), at most 1.
double clip_scale(double norm, double most);

}  // namespace enxerto
