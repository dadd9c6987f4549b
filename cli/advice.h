/// Advice, measured on the pictures at hand: what advise prints and fit follows.
#pragma once

#include <optional>

#include "cli/recipe.h"
#include "enxerto/transfer/advice.h"

namespace enxerto::cli {

/// Of a budget, what each pilot takes at most: most of the time is for what they recommend.
inline constexpr double pilot_share = 0.15;

struct AdviceOptions {
  double budget_seconds =
      0;  ///< recipes that take longer are no choice, or with fewer epochs; 0: whatever it takes
  double pilot_seconds = 60;  ///< about so long each pilot may take; 0: none
  std::optional<double> price_per_hour = {};
  std::vector<GivenFlag> given = {};  ///< to the verb that asks: the recommended command has them too
};
/// Pilots take no more than their share of a budget, unless --pilot was given.
void keep_within(double budget_seconds, AdviceOptions& options);
/// Adds --pilot and --budget, both in minutes.
void add_advice_flags(CLI::App& verb, AdviceOptions& options);

struct Advice {
  nlohmann::json json;  ///< all that was measured (docs/transfer.md)
  Recipe recipe;        ///< the one to take, with as many epochs as the budget has time for
  Cut cut;              ///< and where to cut
  double seconds = 0;   ///< that it should take
};
/// Measures depths, a learning curve and pilots of warmup+finetune and finetune. `usual`: the settings of the
/// recipes. Throws Error{unsupported} where a picture may have several labels, Error{usage} without
/// validation pictures, Error{interrupted}, and what compute_features() and tune() throw.
Advice advise(const Job& job, const Recipe& usual, const AdviceOptions& options, Console& console);

void print_advice(const nlohmann::json& advice, Console& console);

}  // namespace enxerto::cli
