/// Mixed pictures: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019), on whole batches of normalized
/// floats. The Loader calls this.
#pragma once

#include <cstdint>

#include "enxerto/core/random.h"
#include "enxerto/data/augment.h"
#include "enxerto/data/loader.h"

namespace enxerto {

/// What one picture takes of its partner.
struct Mix {
  float share = 1;  ///< of the picture itself, in what comes out and in its target
  /// cutmix: the part in pixels that is the partner's, edges between pixels. Empty with mixup, where each
  /// value is share * own + (1 - share) * the partner's.
  bool cut = false;
  int left = 0, top = 0, right = 0, bottom = 0;
};

/// With mixup the share is lambda, drawn from Beta(alpha, alpha). With cutmix a rectangle of the area
/// (1 - lambda) and the picture's proportions is laid about a random pixel and clipped to the picture, as the
/// authors' program does it, and the share is what is left of the picture. Both on: either, by halves.
Mix draw_mix(const Augment& augment, int height, int width, Rng rng);

/// Mixes each picture of the batch with the one that stands as far from the end as it stands from the
/// beginning; the middle one stays as it is. Both are taken as they were before. The targets {n, classes}
/// have to be there and are mixed by the shares. Picture i draws from a child of Rng(seed).child(epoch, i),
/// so that nothing else that it draws changes.
void mix_batch(const Augment& augment, std::uint64_t seed, std::uint64_t epoch, Batch& batch);

}  // namespace enxerto
