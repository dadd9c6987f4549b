/// report.html: one page that holds its style, its script and its charts.
#pragma once

#include <string>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

std::string make_page(const RunRecord& run, const Texts& t);

}  // namespace enxerto
