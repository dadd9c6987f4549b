#include "enxerto/data/batch.h"

#include <algorithm>
#include <numeric>

#include "enxerto/core/random.h"

namespace enxerto {
namespace {

void clear_behind(std::size_t count, Tensor& rows) {
  if (rows.empty()) return;
  const auto values = rows.data();
  std::ranges::fill(values.subspan(count * (values.size() / static_cast<std::size_t>(rows.shape().n))), 0.0f);
}

}  // namespace

std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, int epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  // No picture has this number, so no augmentation draws from the same child.
  Rng rng = Rng(seed).child(static_cast<std::uint64_t>(epoch), ~std::uint64_t{0});
  shuffle(order, rng);
  return order;
}

void set_target(std::span<const std::int32_t> labels, std::span<float> target) {
  std::ranges::fill(target, 0.0f);
  for (const std::int32_t label : labels) target[static_cast<std::size_t>(label)] = 1;
}

void clear_padding(Batch& batch) {
  clear_behind(batch.labels.size(), batch.images);
  clear_behind(batch.labels.size(), batch.targets);
}

}  // namespace enxerto
