#include "enxerto/kernels/cpu/cpu.h"

namespace enxerto::cpu {
namespace {

/// Plain order, so that a channel's pixels, or a picture's elements, lie side by side.
class AffineOp : public Op {
 public:
  AffineOp(const AffineSpec& spec, const PlanArgs& args) : spec_(spec) {
    info_.in = {plain(spec.shape)};
    info_.out = info_.in[0];
    info_.params.assign(2, spec.per_element ? spec.shape.c * pixels() : spec.shape.c);
    info_.keeps_in = {args.wants_dparams};
    info_.in_place = args.wants_dparams ? -1 : 0;
    info_.din_in_place = args.wants_dparams ? -1 : 0;  // dout is read again for the parameters
    info_.implementation = "loops";
  }

  void forward(const Forward& run) override {
    const float *const weight = run.params[0], *const bias = run.params[1];
    for_each_row([&](std::int64_t row, std::int64_t at) {
      const float* const x = run.in[0] + at;
      float* const y = run.out + at;
      if (spec_.per_element)
        for (std::int64_t i = 0; i < pixels(); ++i)
          y[i] = x[i] * weight[row * pixels() + i] + bias[row * pixels() + i];
      else
        for (std::int64_t i = 0; i < pixels(); ++i) y[i] = x[i] * weight[row] + bias[row];
    });
  }

  void backward(const Backward& run) override {
    if (run.dparams.size() == 2 && run.dparams[0]) parameter_gradients(run);
    if (run.din.empty() || !run.din[0]) return;
    const float* const weight = run.params[0];
    for_each_row([&](std::int64_t row, std::int64_t at) {
      const float* const g = run.dout + at;
      float* const dx = run.din[0] + at;
      for (std::int64_t i = 0; i < pixels(); ++i)
        dx[i] = g[i] * weight[spec_.per_element ? row * pixels() + i : row];
    });
  }

 private:
  std::int64_t pixels() const { return spec_.shape.h * spec_.shape.w; }
  /// run(channel, where its pixels begin), picture by picture.
  template <class Run>
  void for_each_row(Run run) const {
    const std::int64_t rows = spec_.shape.n * spec_.shape.c;
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < rows; ++row) run(row % spec_.shape.c, row * pixels());
  }
  /// Sums over what each number was used for, in the order of the pictures whatever the threads.
  void parameter_gradients(const Backward& run) const {
    const std::int64_t numbers = info_.params[0], used = spec_.per_element ? 1 : pixels();
#pragma omp parallel for schedule(static)
    for (std::int64_t k = 0; k < numbers; ++k) {
      double dweight = 0, dbias = 0;
      for (std::int64_t n = 0; n < spec_.shape.n; ++n)
        for (std::int64_t i = 0; i < used; ++i) {
          const std::int64_t at = (n * numbers + k) * used + i;
          dweight += static_cast<double>(run.dout[at]) * run.in[0][at];
          dbias += run.dout[at];
        }
      run.dparams[0][k] = static_cast<float>(dweight);
      run.dparams[1][k] = static_cast<float>(dbias);
    }
  }
  AffineSpec spec_;
};

}  // namespace

std::unique_ptr<Op> affine(const AffineSpec& spec, const PlanArgs& args) {
  return std::make_unique<AffineOp>(spec, args);
}

}  // namespace enxerto::cpu
