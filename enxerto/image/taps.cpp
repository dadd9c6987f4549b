#include "enxerto/image/taps.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace enxerto {
namespace {

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys 1981, equation 4, with a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

struct Kernel {
  double (*weight)(double);
  double support;
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::bicubic:
      return {cubic, 2.0};
    case Filter::lanczos:
      return {lanczos, 3.0};
    case Filter::bilinear:
      break;
  }
  return {triangle, 1.0};
}

/// The geometry of an axis under a kernel.
struct Spread {
  Spread(const Axis& axis, double kernel_support)
      : axis_(axis),
        scale((axis.to - axis.from) / static_cast<double>(axis.out)),
        stretch(std::max(scale, 1.0)),
        support(kernel_support * stretch) {}
  double centre(int i) const { return axis_.from + (static_cast<double>(axis_.begin + i) + 0.5) * scale; }
  int first(double centre) const { return std::max(static_cast<int>(centre - support + 0.5), 0); }
  int last(double centre) const { return std::min(static_cast<int>(centre + support + 0.5), axis_.in); }

 private:
  const Axis& axis_;

 public:
  const double scale, stretch, support;
};

/// Away from zero where it is in the middle.
std::int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << weight_bits);
  return static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Taps::Run reach_of(const Axis& axis, Filter filter) {
  if (axis.is_copy()) return {static_cast<int>(axis.begin), axis.count};
  const Spread spread(axis, kernel_of(filter).support);
  const int first = spread.first(spread.centre(0));
  return {first, spread.last(spread.centre(axis.count - 1)) - first};
}

Taps make_taps(const Axis& axis, Filter filter, int origin) {
  const Kernel kernel = kernel_of(filter);
  const Spread spread(axis, kernel.support);
  Taps taps;
  taps.stride = (static_cast<std::size_t>(std::ceil(spread.support)) * 2 + 1 + 3) / 4 * 4;
  taps.runs.resize(static_cast<std::size_t>(axis.count));
  taps.weights.resize(taps.stride * taps.runs.size());
  std::vector<double> exact(taps.stride);
  for (int i = 0; i < axis.count; ++i) {
    const double centre = spread.centre(i);
    const int first = spread.first(centre), last = spread.last(centre);
    const auto count = static_cast<std::size_t>(last - first);
    double sum = 0;
    for (int k = first; k < last; ++k) {
      const double weight = kernel.weight((k - centre + 0.5) * (1.0 / spread.stretch));
      exact[static_cast<std::size_t>(k - first)] = weight;
      sum += weight;
    }
    taps.runs[static_cast<std::size_t>(i)] = {first - origin, last - first};
    std::int32_t* weights = taps.weights.data() + static_cast<std::size_t>(i) * taps.stride;
    for (std::size_t k = 0; k < count; ++k) weights[k] = to_fixed(exact[k] / sum);
  }
  return taps;
}

}  // namespace enxerto
