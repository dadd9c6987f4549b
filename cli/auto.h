/// fit without a recipe: a probe first, then what the advice says within the budget, the better one kept.
#pragma once

#include <filesystem>

#include "cli/advice.h"

namespace enxerto::cli {

/// The run `out` of a probe becomes that of the better of it and the recipe that advise() recommends, by the
/// validation pictures; what lost stays in out/probe or out/advised. `out` has a whole model at any moment.
/// Goes on from wherever it was stopped, as out/auto.json tells. `asked`: what a resume needs to know, kept
/// there. Returns result.json, with what was decided under transfer.auto.
nlohmann::json fit_by_advice(Job job, const Recipe& usual, const AdviceOptions& options,
                             const std::filesystem::path& out, const nlohmann::json& asked, Console& console);

/// What `asked` was, of a run of fit_by_advice() that has not ended; null of others.
nlohmann::json asked_of(const std::filesystem::path& out);

}  // namespace enxerto::cli
