#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Dropout : public Kernel {
 public:
  explicit Dropout(const DropoutSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng rng) const override {
    out = dropped(in[0], rng);
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng rng) const override {
    din = {dropped(dout, rng)};
    dparams.clear();
  }

 private:
  Block dropped(Block x, Rng rng) const {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float drawn = static_cast<float>(rng.at(i) >> 40) * 0x1p-24f;
      x[i] = drawn < spec_.p ? 0.0 : x[i] / (1.0 - spec_.p);
    }
    return x;
  }

  DropoutSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> dropout(const DropoutSpec& spec) { return std::make_unique<Dropout>(spec); }

}  // namespace enxerto::reference
