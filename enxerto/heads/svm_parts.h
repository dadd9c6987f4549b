/// What fitting one support vector machine and fitting a path of them share. Not installed.
#pragma once

#include "enxerto/heads/dual.h"
#include "enxerto/heads/svm.h"

namespace enxerto {

void check_config(const SvmConfig& config);

/// Rows of weights that are sought: one for two classes, one against the rest.
int outputs_of(const SvmConfig& config, int classes);
std::unique_ptr<DualLoss> loss_of(const SvmConfig& config);

/// Standardised, or as they are: the bias is penalised, so that centring would change what is sought.
SeenRows svm_rows(const Rows& rows, bool standardize);

/// A head with one row, of class 1 against class 0, as one with a row for each.
LinearHead with_two_rows(LinearHead head);

}  // namespace enxerto
