#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Rearrange : public Kernel {
 public:
  explicit Rearrange(const RearrangeSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_element([&](std::size_t from, std::size_t to) { out[to] = in[0][from]; });
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.in.size())};
    dparams.clear();
    for_each_element([&](std::size_t from, std::size_t to) { din[0][from] += dout[to]; });
  }

 private:
  /// visit(where an element of the output comes from, where it lies).
  template <class Visit>
  void for_each_element(Visit visit) const {
    const std::int64_t in = spec_.in.size() / spec_.in.n, out = spec_.out.size() / spec_.out.n;
    for (std::int64_t n = 0; n < spec_.out.n; ++n)
      for (std::int64_t i = 0; i < out; ++i) {
        std::int64_t from = spec_.offset, rest = i;
        for (std::size_t k = spec_.sizes.size(); k-- > 0; rest /= spec_.sizes[k])
          from += rest % spec_.sizes[k] * spec_.strides[k];
        visit(static_cast<std::size_t>(n * in + from), static_cast<std::size_t>(n * out + i));
      }
  }

  RearrangeSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> rearrange(const RearrangeSpec& spec) { return std::make_unique<Rearrange>(spec); }

}  // namespace enxerto::reference
