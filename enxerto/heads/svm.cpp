#include "enxerto/heads/svm.h"

#include "enxerto/core/error.h"

namespace enxerto {

LinearFit fit_svm(const Rows& rows, const SvmConfig&, const LinearHead*) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

double svm_objective(const Rows& rows, const SvmConfig&, const LinearHead&) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

}  // namespace enxerto
