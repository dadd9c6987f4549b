/// A run in a few lines.
#pragma once

#include <string>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

std::string summarize_run(const RunRecord& run, const Texts& t);

/// What became of the run, in a sentence or two; plain text.
std::string outcome_of(const RunRecord& run, const Texts& t);

/// "ResNet-18 on vehicles6"; plain text, cleaned.
std::string title_of(const RunRecord& run, const Texts& t);

/// A class and the pictures of it that were not recognised.
struct WeakClass {
  std::size_t index = 0;
  double recall = 0;
  std::size_t taken_for = 0;  ///< the class that most of the missed ones were given; `index` where unknown
};
/// Those with the lowest recall, worst first; none that was recognised without a fault.
std::vector<WeakClass> find_weak_classes(const EvaluationRecord& evaluation, std::size_t most);

}  // namespace enxerto
