/// The tables of the page.
#pragma once

#include <string>
#include <string_view>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// The most classes whose confusion matrix is drawn; more make a table of the worst pairs only.
inline constexpr std::size_t most_matrix_classes = 50;

/// Counts, the colour of each being its part of the true class. A click on a cell shows the pictures of
/// data_of_pictures() that lie in it, where it has any. `split` is "val" or "test". Empty where there is no
/// matrix, or where it is too large.
std::string confusion_table(const EvaluationRecord& evaluation, std::string_view split, bool has_pictures,
                            const Texts& t);

/// The pairs that were taken for one another most often; empty where nothing was.
std::string confused_pairs_table(const EvaluationRecord& evaluation, const Texts& t);

/// A row for each class, weakest first; the 400 weakest where there are more.
std::string class_table(const EvaluationRecord& evaluation, const Texts& t);

/// A row for each epoch; up to 200, evenly spaced.
std::string epoch_table(const std::vector<EpochLine>& epochs, const Texts& t);

/// Two tables of doctor.json: the pictures that were left out, and those that splits share; up to 200 rows
/// each.
std::string left_out_table(const nlohmann::json& doctor, const Texts& t);
std::string shared_table(const nlohmann::json& doctor, const Texts& t);

}  // namespace enxerto
