#include "enxerto/heads/path.h"

#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"

namespace enxerto {

std::vector<double> PathConfig::strengths_between(double low, double high, int count) {
  std::vector<double> made;
  for (int i = 0; i < count; ++i)
    made.push_back(count == 1 ? low : low * std::pow(high / low, i / (count - 1.0)));
  return made;
}

std::vector<std::int32_t> stratified_folds(const Rows& rows, int folds, std::uint64_t seed) {
  if (folds < 2) throw Error(ErrorKind::usage, text(folds, " folds: cross-validation needs at least two"));
  std::vector<std::int32_t> made(rows.y.size());
  int next = 0;  // goes on from class to class, so that the folds are of one size
  for (int k = 0; k < rows.classes; ++k) {
    std::vector<std::size_t> of_class;
    for (std::size_t i = 0; i < rows.y.size(); ++i)
      if (rows.y[i] == k) of_class.push_back(i);
    if (of_class.size() == 1)
      throw Error(ErrorKind::usage,
                  text("class ", k, " has one row: cross-validation needs two of each class"));
    Rng rng = Rng(seed).child(static_cast<std::uint64_t>(k));
    shuffle(of_class, rng);
    for (const std::size_t row : of_class) {
      made[row] = next;
      next = (next + 1) % folds;
    }
  }
  return made;
}

PathResult fit_logistic_path(const Rows& rows, const LogisticConfig&, const PathConfig&) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

PathResult fit_svm_path(const Rows& rows, const SvmConfig&, const PathConfig&) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

}  // namespace enxerto
