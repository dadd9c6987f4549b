/// What a graft did to the network, from result.json. Not installed.
#pragma once

#include <string>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// The proof for what is frozen, how far the other layers moved, calibration, the "unknown" answer with its
/// coverage-risk curve, the range test. Empty for a run that grafted nothing.
std::string transfer_section(const RunRecord& run, const Texts& t);

}  // namespace enxerto
