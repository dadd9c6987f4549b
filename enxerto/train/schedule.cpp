#include "enxerto/train/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/names.h"

namespace enxerto {
namespace {

/// From `from` at part 0 to `to` at part 1, half a cosine.
double cosine(double from, double to, double part) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * std::clamp(part, 0.0, 1.0))) / 2;
}

double one_cycle(const Schedule& schedule, double s, double steps) {
  const double start = schedule.base / schedule.start_div, end = start / schedule.end_div;
  const double peak = schedule.rise * steps - 1, last = steps - 1;
  if (peak > 0 && s <= peak) return cosine(start, schedule.base, s / peak);
  return cosine(schedule.base, end, last > peak ? (s - peak) / (last - peak) : 1);
}

}  // namespace

double lr_at(const Schedule& schedule, std::int64_t step) {
  if (step < schedule.warmup)
    return schedule.base * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup + 1);
  const std::int64_t steps = std::max<std::int64_t>(schedule.total - schedule.warmup, 1);
  const std::int64_t s = std::min(step - schedule.warmup, steps);
  switch (schedule.curve) {
    case Schedule::Curve::constant:
      return schedule.base;
    case Schedule::Curve::step:
      return schedule.base * std::pow(schedule.gamma, static_cast<double>(s / schedule.every));
    case Schedule::Curve::cosine:
      return cosine(schedule.base, schedule.floor, static_cast<double>(s) / static_cast<double>(steps));
    case Schedule::Curve::one_cycle:
      return one_cycle(schedule, static_cast<double>(s), static_cast<double>(steps));
    case Schedule::Curve::range_test:
      return schedule.floor *
             std::pow(schedule.base / schedule.floor,
                      std::min(1.0, static_cast<double>(s) /
                                        static_cast<double>(std::max<std::int64_t>(steps - 1, 1))));
  }
  return schedule.base;
}

void check_schedule(const Schedule& schedule) {
  const auto check = [](bool holds, std::string_view wrong) {
    if (!holds) throw Error(ErrorKind::usage, text("learning rate: ", wrong));
  };
  check(schedule.base > 0 && std::isfinite(schedule.base), "it has to be above 0");
  check(schedule.floor >= 0 && schedule.floor <= schedule.base,
        "the floor has to lie between 0 and the rate");
  check(schedule.total > 0, "the length of the run has to be known");
  check(
      schedule.warmup >= 0 && schedule.warmup < schedule.total,
      text("the warm-up of ", schedule.warmup, " steps has to be shorter than the run of ", schedule.total));
  if (schedule.curve == Schedule::Curve::step) {
    check(schedule.every > 0, "the curve \"step\" needs the number of steps between two drops");
    check(schedule.gamma > 0 && schedule.gamma <= 1, "gamma has to lie above 0 and not above 1");
  }
  if (schedule.curve == Schedule::Curve::range_test)
    check(schedule.floor > 0, "a range test starts from a floor above 0");
  if (schedule.curve == Schedule::Curve::one_cycle) {
    check(schedule.rise > 0 && schedule.rise < 1, "the rise of one_cycle has to lie between 0 and 1");
    check(schedule.start_div >= 1 && schedule.end_div >= 1, "the divisors of one_cycle have to be 1 or more");
  }
}

Schedule::Curve parse_curve(std::string_view name) { return parse_name<Schedule::Curve>("schedule", name); }

}  // namespace enxerto
