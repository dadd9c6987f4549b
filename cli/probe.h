/// A head on frozen features, and the run that keeps it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/job.h"
#include "cli/judge.h"
#include "enxerto/transfer/probe.h"

namespace enxerto::cli {

/// A head on rows, and what was measured of it.
struct Probe {
  HeadFit fit;
  Evaluation train;
  std::optional<Evaluation> val;
  Calibration calibration;
  std::shared_ptr<const Novelty> novelty = nullptr;
  Tensor val_outputs = {};                 ///< at the temperature
  std::vector<double> val_distances = {};  ///< with novelty
  nlohmann::json bf16 = nullptr;           ///< compare_precisions(), where the features are in bfloat16
  std::int64_t computed = 0, rows = 0;
};
/// `with_unknown`: with the novelty too.
Probe probe(const Job& job, const HeadConfig& config, const Views& views, bool with_unknown,
            Console& console);
/// The head for people, on a line.
std::string format_head(const HeadReport& report, const std::string& kind);

/// The recipe: fits the head and makes the run `out`. Throws as run_recipe().
nlohmann::json fit_by_probe(const Job& job, const Recipe& recipe, const std::filesystem::path& out,
                            Console& console, const OnOutputs& on_test);

}  // namespace enxerto::cli
