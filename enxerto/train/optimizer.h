/// Optimizers. The configuration is a value; the thing with memory is made from it.
///
/// w: a parameter, g: its gradient (shaped, see penalty.h), lr: the rate of this step, t: the step, from 1.
/// Where textbook and PyTorch differ, both are here: Form says which.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "enxerto/train/penalty.h"

namespace enxerto {

enum class Form { pytorch, textbook };

/// w -= lr g. Where weight_decay is not 0, here and below: w -= lr weight_decay w before the step, decoupled
/// from the gradient (Loshchilov & Hutter 2019), for what decays.
struct Sgd {
  static constexpr std::string_view kind = "sgd";
  double weight_decay = 0;
  static constexpr auto fields = std::tuple{field("weight_decay", &Sgd::weight_decay)};
  friend bool operator==(const Sgd&, const Sgd&) = default;
};

/// pytorch (torch.optim.SGD): v = mu v + (1 - dampening) g, v = g at the first step; w -= lr v.
/// textbook (Polyak 1964; Goodfellow et al. 2016, algorithm 8.2): v = mu v - lr g; w += v, no dampening.
/// They part where lr changes: only in the first does a new rate act on the old velocity at once.
struct Momentum {
  static constexpr std::string_view kind = "momentum";
  double mu = 0.9, dampening = 0, weight_decay = 0;
  Form form = Form::pytorch;
  static constexpr auto fields =
      std::tuple{field("mu", &Momentum::mu), field("dampening", &Momentum::dampening),
                 field("weight_decay", &Momentum::weight_decay), field("form", &Momentum::form)};
  friend bool operator==(const Momentum&, const Momentum&) = default;
};

/// pytorch (torch.optim.SGD, nesterov): v = mu v + g; w -= lr (g + mu v).
/// textbook (Nesterov 1983 as Sutskever et al. 2013 write it, moved to the point where the gradient is
/// taken as in Bengio et al. 2012, eq. 7): v = mu v - lr g; w += mu v - lr g.
struct Nesterov {
  static constexpr std::string_view kind = "nesterov";
  double mu = 0.9, weight_decay = 0;
  Form form = Form::pytorch;
  static constexpr auto fields =
      std::tuple{field("mu", &Nesterov::mu), field("weight_decay", &Nesterov::weight_decay),
                 field("form", &Nesterov::form)};
  friend bool operator==(const Nesterov&, const Nesterov&) = default;
};

/// s += g^2 (Duchi et al. 2011).
/// pytorch: w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps), also Goodfellow et al., algorithm 8.4.
/// textbook (Ruder 2016): w -= lr g / sqrt(s + eps), with the same lr_decay.
struct AdaGrad {
  static constexpr std::string_view kind = "adagrad";
  double eps = 1e-10, lr_decay = 0;
  Form form = Form::pytorch;
  static constexpr auto fields = std::tuple{
      field("eps", &AdaGrad::eps), field("lr_decay", &AdaGrad::lr_decay), field("form", &AdaGrad::form)};
  friend bool operator==(const AdaGrad&, const AdaGrad&) = default;
};

/// s = alpha s + (1 - alpha) g^2 (Hinton 2012, lecture 6e); centered (Graves 2013): also
/// m = alpha m + (1 - alpha) g, and s - m^2 stands for s below.
/// pytorch: v = mu v + g / (sqrt(s) + eps); w -= lr v.
/// textbook (Goodfellow et al., algorithms 8.5 and 8.6): v = mu v - lr g / sqrt(s + eps); w += v.
struct RmsProp {
  static constexpr std::string_view kind = "rmsprop";
  double alpha = 0.99, eps = 1e-8, mu = 0;
  bool centered = false;
  Form form = Form::pytorch;
  static constexpr auto fields =
      std::tuple{field("alpha", &RmsProp::alpha), field("eps", &RmsProp::eps), field("mu", &RmsProp::mu),
                 field("centered", &RmsProp::centered), field("form", &RmsProp::form)};
  friend bool operator==(const RmsProp&, const RmsProp&) = default;
};

/// s = rho s + (1 - rho) g^2; d = g sqrt(a + eps) / sqrt(s + eps); a = rho a + (1 - rho) d^2.
/// pytorch: w -= lr d. textbook (Zeiler 2012, algorithm 1): w -= d, the rate is not used.
struct AdaDelta {
  static constexpr std::string_view kind = "adadelta";
  double rho = 0.9, eps = 1e-6;
  Form form = Form::pytorch;
  static constexpr auto fields =
      std::tuple{field("rho", &AdaDelta::rho), field("eps", &AdaDelta::eps), field("form", &AdaDelta::form)};
  friend bool operator==(const AdaDelta&, const AdaDelta&) = default;
};

/// m = beta1 m + (1 - beta1) g; s = beta2 s + (1 - beta2) g^2.
/// pytorch (Kingma & Ba 2015, algorithm 1): w -= lr m' / (sqrt(s') + eps), m' = m / (1 - beta1^t) and
/// s' = s / (1 - beta2^t).
/// textbook (the same, end of section 2, "epsilon hat"; Keras): w -= lr sqrt(1 - beta2^t) / (1 - beta1^t)
/// m / (sqrt(s) + eps).
struct Adam {
  static constexpr std::string_view kind = "adam";
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  Form form = Form::pytorch;
  static constexpr auto fields = std::tuple{field("beta1", &Adam::beta1), field("beta2", &Adam::beta2),
                                            field("eps", &Adam::eps), field("form", &Adam::form)};
  friend bool operator==(const Adam&, const Adam&) = default;
};

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019; torch.optim.AdamW).
struct AdamW {
  static constexpr std::string_view kind = "adamw";
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  Form form = Form::pytorch;
  static constexpr auto fields =
      std::tuple{field("beta1", &AdamW::beta1), field("beta2", &AdamW::beta2), field("eps", &AdamW::eps),
                 field("weight_decay", &AdamW::weight_decay), field("form", &AdamW::form)};
  friend bool operator==(const AdamW&, const AdamW&) = default;
};

using OptimizerConfig = std::variant<Sgd, Momentum, Nesterov, AdaGrad, RmsProp, AdaDelta, Adam, AdamW>;

/// Changes parameters in place; leaves the gradients alone. The bits do not depend on the threads.
class Optimizer {
 public:
  /// What an optimizer remembers of each parameter, in the order of the parameter itself: one block for
  /// each update, zero at the start.
  struct Slot {
    std::string name;  ///< "velocity", "square", ...
    std::vector<Tensor> blocks;
  };

  virtual ~Optimizer() = default;
  /// The updates are those (in number, order and sizes) that it was made for.
  virtual void step(std::span<const Update> updates, double lr, const Shaping& shaping = {}) = 0;

  /// All that it remembers: slots and steps together. Writing both back is a restore.
  std::span<Slot> slots() { return slots_; }
  std::span<const Slot> slots() const { return slots_; }
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

  /// How many steps were done before each update took part, 0 but for what was unfrozen later: what counts
  /// steps (Adam's corrections of its start) counts those that the parameter has seen.
  std::span<std::int64_t> joined() { return joined_; }
  std::span<const std::int64_t> joined() const { return joined_; }
  /// By what the rate is multiplied for each update; 1 at first. No part of what is saved.
  std::span<double> rates() { return rates_; }

 protected:
  explicit Optimizer(std::size_t updates) : joined_(updates, 0), rates_(updates, 1.0) {}
  std::vector<Slot> slots_;
  std::int64_t steps_ = 0;
  std::vector<std::int64_t> joined_;
  std::vector<double> rates_;
};

/// Throws Error{usage} where a value makes no sense.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, std::span<const Update> updates);

/// Between the kernels' order and that of files: tensors called "velocity/layer1.0.conv1.weight";
/// "joined/..." where an update took part later.
NamedTensors optimizer_state(const Optimizer& optimizer, const Executor& executor);
/// Takes over what optimizer_state() gave. Throws Error{corrupt}, opened by `where`, that names the first
/// tensor that is missing or does not fit. `may_be_new`: an update of which it has nothing joins now.
void restore_optimizer(Optimizer& optimizer, const Executor& executor, const NamedTensors& state,
                       std::int64_t steps, std::string_view where, bool may_be_new = false);

/// Defaults of an optimizer by its name; Error{usage} lists the names.
OptimizerConfig parse_optimizer(std::string_view name);
std::vector<std::string> optimizer_names();
/// A rate to begin with where the user gives none.
double usual_lr(const OptimizerConfig& config);

}  // namespace enxerto
