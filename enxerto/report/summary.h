/// A run in a few lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

std::string summarize_run(const RunRecord& run, const Texts& t);

/// What became of the run, in a sentence or two; plain text.
std::string outcome_of(const RunRecord& run, const Texts& t);

/// Whether `enxerto train --resume` would go on with it, and how to call that. A diverged run would only
/// diverge again: the same bits.
bool can_go_on(const RunRecord& run);
std::string resume_command(const RunRecord& run);

/// Good from any working folder.
std::string absolute_folder(const RunRecord& run);

/// As a shell wants it: quoted where it has to be.
std::string shell_word(std::string_view word);

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
