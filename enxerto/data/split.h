/// Holding pictures back for validation and test.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "enxerto/core/random.h"
#include "enxerto/data/open.h"

namespace enxerto {

/// Two lists of indices, each ascending, that make up the whole.
struct SplitIndices {
  std::vector<std::int64_t> kept, taken;
};

/// Takes round(fraction * n) of the n pictures of each class, at least one and at most n - 1 where n >= 2,
/// none where n = 1 or the fraction is 0. Each class draws from its own child of `rng`.
SplitIndices split_stratified(std::span<const std::int32_t> labels, double fraction, const Rng& rng);

/// Completes what the data lacks by taking it from train, stratified (with several labels a picture: by
/// iterative stratification, so that each class comes near its part): the splits that are there stay. The
/// fractions are those of train as it comes; 0 leaves a split null. A note tells what was done.
/// Error{usage} where the fractions are not in [0, 1) or leave nothing.
Splits with_splits(Splits splits, double val_fraction, double test_fraction, std::uint64_t seed);

/// Where the data has a val split and no test split: what it has as val becomes test, which nothing is chosen
/// by, so that with_splits() takes val from train. A note tells it.
Splits with_val_as_test(Splits splits);

}  // namespace enxerto
