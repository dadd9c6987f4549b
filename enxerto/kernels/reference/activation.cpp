#include <algorithm>
#include <cmath>

#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double hard_sigmoid(double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }
double hard_sigmoid_slope(double x) { return x > -3 && x < 3 ? 1.0 / 6 : 0.0; }

class Activate : public Kernel {
 public:
  explicit Activate(const ActivationSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = in[0];
    for (double& x : out) x = activate(spec_, x);
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {dout};
    dparams.clear();
    for (std::size_t i = 0; i < dout.size(); ++i) din[0][i] *= activate_slope(spec_, in[0][i]);
  }

 private:
  ActivationSpec spec_;
};

}  // namespace

double activate(const ActivationSpec& spec, double x) {
  switch (spec.kind) {
    case Activation::none:
      return x;
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::relu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::leaky_relu:
      return x < 0 ? spec.alpha * x : x;
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::tanh:
      return std::tanh(x);
    case Activation::hard_sigmoid:
      return hard_sigmoid(x);
    case Activation::hard_swish:
      return x * hard_sigmoid(x);
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::exp:
      return std::exp(x);
  }
  return x;
}

double activate_slope(const ActivationSpec& spec, double x) {
  switch (spec.kind) {
    case Activation::none:
      return 1;
    case Activation::relu:
      return x > 0 ? 1 : 0;
    case Activation::relu6:
      return x > 0 && x < 6 ? 1 : 0;
    case Activation::leaky_relu:
      return x > 0 ? 1 : spec.alpha;
    case Activation::sigmoid:
      return sigmoid(x) * sigmoid(-x);
    case Activation::tanh:
      return 1 - std::tanh(x) * std::tanh(x);
    case Activation::hard_sigmoid:
      return hard_sigmoid_slope(x);
    case Activation::hard_swish:
      return hard_sigmoid(x) + x * hard_sigmoid_slope(x);
    case Activation::silu:
      return sigmoid(x) * (1 + x * sigmoid(-x));
    case Activation::exp:
      return std::exp(x);
  }
  return 1;
}

std::unique_ptr<Kernel> activation(const ActivationSpec& spec) { return std::make_unique<Activate>(spec); }

}  // namespace enxerto::reference
