#include "enxerto/data/mix.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

/// Of the generator of a picture: what it draws itself has no such number.
constexpr std::uint64_t mix_key = 0x6d6978;

/// Mixes two runs of floats, each by its own shares.
void mix_runs(std::span<float> first, std::span<float> second, std::span<const float> first_shares,
              std::span<const float> second_shares) {
  for (std::size_t i = 0; i < first.size(); ++i) {
    const float a = first[i], b = second[i], p = first_shares[i], q = second_shares[i];
    first[i] = p * a + (1 - p) * b;
    second[i] = q * b + (1 - q) * a;
  }
}

/// The picture's own share in each pixel of row y.
void fill_shares(const Mix& mix, int y, std::span<float> shares) {
  std::ranges::fill(shares, mix.cut ? 1 : mix.share);
  if (mix.cut && mix.top <= y && y < mix.bottom)
    std::fill(shares.begin() + mix.left, shares.begin() + mix.right, 0.0f);
}

}  // namespace

Mix draw_mix(const Augment& augment, int height, int width, Rng rng) {
  Mix mix;
  mix.cut = augment.cutmix_alpha > 0;
  if (mix.cut && augment.mixup_alpha > 0) mix.cut = rng.below(2) == 1;
  const double alpha = mix.cut ? augment.cutmix_alpha : augment.mixup_alpha;
  const double lambda = rng.beta(alpha, alpha);
  mix.share = static_cast<float>(lambda);
  if (!mix.cut) return mix;
  const double side = std::sqrt(1 - lambda);
  const int half_width = static_cast<int>(width * side) / 2,
            half_height = static_cast<int>(height * side) / 2;
  const auto x = static_cast<int>(rng.below(static_cast<std::uint64_t>(width)));
  const auto y = static_cast<int>(rng.below(static_cast<std::uint64_t>(height)));
  mix.left = std::max(x - half_width, 0), mix.right = std::min(x + half_width, width);
  mix.top = std::max(y - half_height, 0), mix.bottom = std::min(y + half_height, height);
  const double cut = static_cast<double>(mix.right - mix.left) * (mix.bottom - mix.top);
  mix.share = static_cast<float>(1 - cut / (static_cast<double>(width) * height));
  return mix;
}

void mix_batch(const Augment& augment, std::uint64_t seed, std::uint64_t epoch, Batch& batch) {
  const Shape& shape = batch.images.shape();
  const std::size_t count = batch.indices.size(), classes = static_cast<std::size_t>(batch.targets.shape().c);
  ensure(batch.targets.shape().n == shape.n, "a batch that is mixed has targets");
  const auto height = static_cast<int>(shape.h), width = static_cast<int>(shape.w);
  const auto mix_of = [&](std::size_t i) {
    const Rng its_rng = Rng(seed).child(epoch, static_cast<std::uint64_t>(batch.indices[i]));
    return draw_mix(augment, height, width, its_rng.child(mix_key));
  };
  const std::size_t line = static_cast<std::size_t>(width),
                    picture = batch.images.data().size() / static_cast<std::size_t>(shape.n);
  std::vector<float> first_shares(std::max(line, classes)), second_shares(first_shares.size());
  for (std::size_t i = 0; i < count / 2; ++i) {
    const std::size_t k = count - 1 - i;
    const Mix first = mix_of(i), second = mix_of(k);
    for (std::size_t at = 0; at < picture; at += line) {
      const auto y = static_cast<int>(at / line % static_cast<std::size_t>(height));
      fill_shares(first, y, std::span(first_shares).first(line));
      fill_shares(second, y, std::span(second_shares).first(line));
      mix_runs(batch.images.data().subspan(i * picture + at, line),
               batch.images.data().subspan(k * picture + at, line), first_shares, second_shares);
    }
    std::ranges::fill(first_shares, first.share);
    std::ranges::fill(second_shares, second.share);
    mix_runs(batch.targets.data().subspan(i * classes, classes),
             batch.targets.data().subspan(k * classes, classes), first_shares, second_shares);
  }
}

}  // namespace enxerto
