#include "enxerto/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/stratify.h"

namespace enxerto {

SplitIndices split_stratified(std::span<const std::int32_t> labels, double fraction, const Rng& rng) {
  ensure(fraction >= 0 && fraction < 1, "a fraction that is split off lies in [0, 1)");
  std::map<std::int32_t, std::vector<std::int64_t>> members;
  for (std::size_t i = 0; i < labels.size(); ++i) members[labels[i]].push_back(static_cast<std::int64_t>(i));
  SplitIndices out;
  for (auto& [label, indices] : members) {
    Rng its_rng = rng.child(static_cast<std::uint64_t>(label));
    shuffle(indices, its_rng);
    const auto n = static_cast<std::int64_t>(indices.size());
    std::int64_t taken = 0;
    if (fraction > 0 && n >= 2)
      taken = std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(n)), 1, n - 1);
    out.taken.insert(out.taken.end(), indices.begin(), indices.begin() + taken);
    out.kept.insert(out.kept.end(), indices.begin() + taken, indices.end());
  }
  std::sort(out.kept.begin(), out.kept.end());
  std::sort(out.taken.begin(), out.taken.end());
  return out;
}

namespace {

/// Moves `fraction` of `from` into `to`.
void take(std::shared_ptr<const Dataset>& from, std::shared_ptr<const Dataset>& to, double fraction,
          const Rng& rng, const char* name, std::vector<std::string>& notes) {
  const auto whole = from;
  const bool multi = whole->multi_label();
  auto [kept, taken] =
      multi ? split_iteratively(*whole, fraction, rng) : split_stratified(labels_of(*whole), fraction, rng);
  from = std::make_shared<const Subset>(whole, std::move(kept));
  to = std::make_shared<const Subset>(whole, std::move(taken));
  notes.push_back(text(name, ": ", with_commas(to->size()), " of ", with_commas(whole->size()),
                       " training pictures held back, ", multi ? "about " : "",
                       "the same part of each class"));
  const std::vector<std::int64_t> counts = class_counts(*to);
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] == 0)
      notes.push_back(
          text(name, ": none of the class \"", whole->classes()[i], "\", which has too few pictures"));
}

}  // namespace

Splits with_splits(Splits splits, double val_fraction, double test_fraction, std::uint64_t seed) {
  const double test_part = splits.test ? 0 : test_fraction;
  const double val_part = splits.val ? 0 : val_fraction;
  if (!(val_fraction >= 0 && test_fraction >= 0 && val_part + test_part < 1))
    throw Error(ErrorKind::usage, text("validation ", val_fraction, " and test ", test_fraction,
                                       " have to be at least 0 and leave something to train with"));
  ensure(splits.train != nullptr, "data that is split has a train split");
  const Rng rng(seed);
  if (test_part > 0) take(splits.train, splits.test, test_part, rng.child(2), "test", splits.notes);
  if (val_part > 0)
    take(splits.train, splits.val, val_part / (1 - test_part), rng.child(1), "val", splits.notes);
  return splits;
}

Splits with_val_as_test(Splits splits) {
  if (splits.test || !splits.val) return splits;
  splits.test = std::exchange(splits.val, nullptr);
  splits.notes.emplace_back(
      "the data's own validation pictures are the test, which nothing is chosen by; others are held back "
      "from "
      "train for choosing");
  return splits;
}

}  // namespace enxerto
