#include "enxerto/data/stratify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

enum Side : std::size_t { keep_side, take_side };

/// How many pictures each side still wants.
using Wanted = std::array<std::int64_t, 2>;

Wanted wanted_of(std::int64_t n, double fraction) {
  std::int64_t taken = 0;
  if (fraction > 0 && n >= 2)
    taken = std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(n)), 1, n - 1);
  return {n - taken, taken};
}

/// Deals pictures out to the two sides.
class Dealer {
 public:
  Dealer(const Dataset& data, double fraction, const Rng& rng)
      : data_(data),
        side_of_(static_cast<std::size_t>(data.size()), undealt),
        members_(data.classes().size()) {
    std::vector<std::int64_t> order(side_of_.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    Rng its_rng = rng;
    shuffle(order, its_rng);
    for (const std::int64_t index : order)
      for (const std::int32_t label : data.labels(index))
        members_[static_cast<std::size_t>(label)].push_back(index);
    for (std::size_t k = 0; k < members_.size(); ++k) {
      const std::int64_t n = std::ssize(members_[k]);
      if (n > 0) left_.emplace(n, k);
      n_left_.push_back(n);
      wanted_.push_back(wanted_of(n, fraction));
    }
    all_wanted_ = wanted_of(data.size(), fraction);
    order_ = std::move(order);
  }

  SplitIndices deal() {
    while (!left_.empty()) {
      const std::size_t rarest = left_.begin()->second;
      for (const std::int64_t index : members_[rarest])
        if (side_of(index) == undealt) give(index, wanted_[rarest]);
    }
    for (const std::int64_t index : order_)
      if (side_of(index) == undealt) give(index, all_wanted_);
    SplitIndices out;
    for (std::int64_t index = 0; index < data_.size(); ++index)
      (side_of(index) == take_side ? out.taken : out.kept).push_back(index);
    return out;
  }

 private:
  static constexpr std::size_t undealt = 2;
  std::size_t& side_of(std::int64_t index) { return side_of_[static_cast<std::size_t>(index)]; }

  /// To the side that wants more by these counts or, where they are equal, more pictures altogether.
  void give(std::int64_t index, const Wanted& wanted) {
    const Wanted& by = wanted[keep_side] != wanted[take_side] ? wanted : all_wanted_;
    const Side side = by[take_side] > by[keep_side] ? take_side : keep_side;
    side_of(index) = side;
    --all_wanted_[side];
    for (const std::int32_t label : data_.labels(index)) {
      const auto k = static_cast<std::size_t>(label);
      left_.erase({n_left_[k], k});
      if (--n_left_[k] > 0) left_.emplace(n_left_[k], k);
      --wanted_[k][side];
    }
  }

  const Dataset& data_;
  std::vector<std::size_t> side_of_;
  std::vector<std::vector<std::int64_t>> members_;       ///< pictures of each class, in random order
  std::vector<std::int64_t> n_left_;                     ///< how many of them are not dealt out yet
  std::set<std::pair<std::int64_t, std::size_t>> left_;  ///< these with their classes, where they are not 0
  std::vector<Wanted> wanted_;                           ///< of each class
  Wanted all_wanted_{};                                  ///< of all pictures
  std::vector<std::int64_t> order_;
};

}  // namespace

SplitIndices split_iteratively(const Dataset& data, double fraction, const Rng& rng) {
  ensure(fraction >= 0 && fraction < 1, "a fraction that is split off lies in [0, 1)");
  return Dealer(data, fraction, rng).deal();
}

}  // namespace enxerto
