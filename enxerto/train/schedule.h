/// Learning rate as a pure function of the step, so that a resumed run cannot drift.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "enxerto/layers/field.h"

namespace enxerto {

/// Steps are optimizer steps, counted from 0. The first `warmup` steps rise linearly,
/// base (step + 1) / (warmup + 1) (PyTorch: LinearLR from 1 / (warmup + 1)); then the curve begins, with
/// s = step - warmup and S = total - warmup:
///   constant   base
///   step       base gamma^(s / every), rounded down (StepLR)
///   cosine     floor + (base - floor) (1 + cos(pi s / S)) / 2 (CosineAnnealingLR with T_max = S;
///              Loshchilov & Hutter 2017)
///   one_cycle  base is the peak: cosine from base / start_div to base at s = rise S - 1, then cosine to
///              base / start_div / end_div at S - 1 (OneCycleLR; Smith & Topin 2018)
///   range_test floor (base / floor)^(s / (S - 1)): rises from floor to base, to see how far it may go (Smith
///              2017; lr_range.h)
/// Behind its total the rate stays where it ended.
struct Schedule {
  enum class Curve { constant, step, cosine, one_cycle, range_test };
  Curve curve = Curve::cosine;
  double base = 1e-3, floor = 0;
  std::int64_t warmup = 0;
  std::int64_t total = 0;                            ///< 0: as long as the run, which train() fills in
  std::int64_t every = 0;                            ///< step: has to be set there
  double gamma = 0.1;                                ///< step
  double rise = 0.3, start_div = 25, end_div = 1e4;  ///< one_cycle
  static constexpr auto fields =
      std::tuple{field("curve", &Schedule::curve),         field("base", &Schedule::base),
                 field("floor", &Schedule::floor),         field("warmup", &Schedule::warmup),
                 field("total", &Schedule::total),         field("every", &Schedule::every),
                 field("gamma", &Schedule::gamma),         field("rise", &Schedule::rise),
                 field("start_div", &Schedule::start_div), field("end_div", &Schedule::end_div)};
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

double lr_at(const Schedule& schedule, std::int64_t step);

/// Throws Error{usage} where a value makes no sense; the total has to be known.
void check_schedule(const Schedule& schedule);

/// "constant", "step", "cosine", "one_cycle", "range_test"; Error{usage} lists them.
Schedule::Curve parse_curve(std::string_view name);

}  // namespace enxerto
