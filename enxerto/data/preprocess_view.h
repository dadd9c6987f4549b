/// What a Preprocess does, for people: its steps in words, and its floats as a picture again.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "enxerto/data/preprocess.h"
#include "enxerto/image/image.h"

namespace enxerto {

/// One sentence for each step, in the order in which they are done.
std::vector<std::string> preprocess_steps(const Preprocess& preprocess);

/// normalize() undone: the picture, in RGB or grey, that the network is given as `chw`, cut off at 0 and 255
/// where it leaves a byte's range. Floats that normalize() made give the very picture back.
Image unnormalized(const Preprocess& preprocess, std::span<const float> chw);

}  // namespace enxerto
