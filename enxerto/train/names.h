/// The names of this folder's enumerations, as files and the command line have them. Not installed.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/trainer.h"

namespace enxerto {

template <class E>
inline constexpr auto names_of = std::array<std::pair<E, const char*>, 0>{};
template <>
inline constexpr auto names_of<Form> =
    std::array<std::pair<Form, const char*>, 2>{{{Form::pytorch, "pytorch"}, {Form::textbook, "textbook"}}};
template <>
inline constexpr auto names_of<Schedule::Curve> =
    std::array<std::pair<Schedule::Curve, const char*>, 5>{{{Schedule::Curve::constant, "constant"},
                                                            {Schedule::Curve::step, "step"},
                                                            {Schedule::Curve::cosine, "cosine"},
                                                            {Schedule::Curve::one_cycle, "one_cycle"},
                                                            {Schedule::Curve::range_test, "range_test"}}};
template <>
inline constexpr auto names_of<Metric> =
    std::array<std::pair<Metric, const char*>, 4>{{{Metric::val_loss, "val_loss"},
                                                   {Metric::val_top1, "val_top1"},
                                                   {Metric::val_map, "val_map"},
                                                   {Metric::train_loss, "train_loss"}}};

template <class E>
const char* format_name(E value) {
  for (const auto& [known, name] : names_of<E>)
    if (known == value) return name;
  ensure(false, "every enumerator has a name");
  return "";
}

/// Throws Error{usage} that lists the names.
template <class E>
E parse_name(std::string_view what, std::string_view name) {
  std::vector<std::string> all;
  for (const auto& [known, known_name] : names_of<E>) {
    if (name == known_name) return known;
    all.emplace_back(known_name);
  }
  throw Error(ErrorKind::usage, text(what, " \"", name, "\": there are ", join(all, ", ")));
}

}  // namespace enxerto
