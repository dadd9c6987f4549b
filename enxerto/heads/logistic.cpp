#include "enxerto/heads/logistic.h"

#include "enxerto/core/error.h"

namespace enxerto {

LinearFit fit_logistic(const Rows& rows, const LogisticConfig&, const LinearHead*) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

double logistic_objective(const Rows& rows, const LogisticConfig&, const LinearHead&) {
  check_rows(rows);
  throw Error(ErrorKind::unsupported, "not there yet");
}

}  // namespace enxerto
