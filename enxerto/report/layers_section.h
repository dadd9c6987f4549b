/// The gradients of each layer, and what is wrong with them, from log.jsonl. Not installed.
#pragma once

#include <string>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// A table of layers by epochs, each cell in the colour of its size, and a sentence for each fault with its
/// cure. Empty for a run that recorded none.
std::string layers_section(const RunRecord& run, const Texts& t);

}  // namespace enxerto
