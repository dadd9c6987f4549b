/// What was asked, what was decided and why, and what it took against what was foreseen. Not installed.
#pragma once

#include <string>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

std::string asked_section(const RunRecord& run, const Texts& t);

}  // namespace enxerto
