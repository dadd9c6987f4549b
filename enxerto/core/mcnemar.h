/// McNemar's test: which of two that answered the same questions is better, or is it chance? (McNemar 1947)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace enxerto {

/// The two-sided p of McNemar's test, exact: of the pictures that one of two got right and the other did not,
/// `only_a` were a's and `only_b` were b's, which by chance alone are a binomial draw of one half. 1 of none.
double mcnemar(std::int64_t only_a, std::int64_t only_b);

/// Several p, each adjusted for all of them by Holm (1979): the chance that any of those below 0.05 is a
/// false alarm is at most 0.05.
std::vector<double> adjusted_by_holm(std::span<const double> p);

}  // namespace enxerto
