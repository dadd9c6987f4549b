/// Splitting pictures that may have several labels. Not installed.
#pragma once

#include "enxerto/data/dataset.h"
#include "enxerto/data/split.h"

namespace enxerto {

/// split_stratified() for data with several labels a picture, by iterative stratification (Sechidis,
/// Tsoumakas & Vlahavas 2011): the pictures of the class of which the fewest are left are dealt out first,
/// each to the side that lacks most of this class. What each side wants of a class of n pictures is
/// round(fraction * n), at least one and at most n - 1 where n >= 2; what it gets may differ by a few,
/// because a picture brings all its labels along. Pictures without a label fill up what a side then lacks.
SplitIndices split_iteratively(const Dataset& data, double fraction, const Rng& rng);

}  // namespace enxerto
