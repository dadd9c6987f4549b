/// Several runs on one page: their figures side by side, their curves in one chart. Not installed.
#pragma once

#include <string>
#include <vector>

#include "enxerto/report/report.h"
#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// 2 to most_runs of them. As make_page().
std::string make_comparison(const std::vector<RunRecord>& runs, const std::vector<Texts>& languages);

}  // namespace enxerto
