#include <algorithm>

#include "enxerto/core/error.h"
#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

Block widened(const float* from, std::int64_t size) { return Block(from, from + size); }

void round_into(float* to, const Block& from, std::int64_t size) {
  ensure(static_cast<std::int64_t>(from.size()) == size, "a reference kernel fills what it is asked for");
  std::ranges::transform(from, to, [](double x) { return static_cast<float>(x); });
}

class ReferenceOp : public Op {
 public:
  ReferenceOp(std::unique_ptr<Kernel> kernel, const PlanArgs& args, const Shape& out,
              std::vector<std::int64_t> params)
      : kernel_(std::move(kernel)) {
    for (const Layout& layout : args.in) info_.in.push_back(plain(layout.shape));
    info_.out = plain(out);
    info_.params = std::move(params);
    info_.keeps_in.assign(args.in.size(), true);
    info_.keeps_out = true;
    info_.implementation = "reference";
  }

  void forward(const Forward& given) override {
    std::vector<Block> params = widened_params(given.params);
    Block out;
    kernel_->forward(widened_inputs(given.in), params, out, given.rng);
    round_into(given.out, out, info_.out.size());
    // Running statistics have moved; what has not rounds to itself.
    for (std::size_t i = 0; i < params.size(); ++i) round_into(given.params[i], params[i], info_.params[i]);
  }

  void backward(const Backward& given) override {
    std::vector<Block> din, dparams;
    kernel_->backward(widened_inputs(given.in), widened_params(given.params),
                      widened(given.out, info_.out.size()), widened(given.dout, info_.out.size()), din,
                      dparams, given.rng);
    for (std::size_t i = 0; i < given.din.size(); ++i)
      if (given.din[i]) round_into(given.din[i], din[i], info_.in[i].size());
    for (std::size_t i = 0; i < given.dparams.size(); ++i)
      if (given.dparams[i]) round_into(given.dparams[i], dparams[i], info_.params[i]);
  }

 private:
  std::vector<Block> widened_inputs(std::span<const float* const> in) const {
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < in.size(); ++i) blocks.push_back(widened(in[i], info_.in[i].size()));
    return blocks;
  }

  std::vector<Block> widened_params(std::span<float* const> params) const {
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < params.size(); ++i) blocks.push_back(widened(params[i], info_.params[i]));
    return blocks;
  }

  std::unique_ptr<Kernel> kernel_;
};

}  // namespace

std::unique_ptr<Op> as_op(std::unique_ptr<Kernel> kernel, const PlanArgs& args, const Shape& out,
                          std::vector<std::int64_t> params) {
  return std::make_unique<ReferenceOp>(std::move(kernel), args, out, std::move(params));
}

}  // namespace enxerto::reference
