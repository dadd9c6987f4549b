/// A network's features of pictures, for the doctor.
#pragma once

#include "cli/console.h"
#include "cli/model.h"
#include "enxerto/data/open.h"
#include "enxerto/doctor/features.h"

namespace enxerto::cli {

/// Of each picture that could be read what the network knows of it before its last layer; a map is averaged
/// over its places. Prepared as the network wants pictures, batch by batch. Takes 4 bytes a feature of each
/// picture beside the network. Throws Error: what load() throws, usage where nobody knows the preprocessing,
/// unsupported where the features would take more than 4 GiB, interrupted.
FeatureRows features_of(const ModelFlags& flags, const Splits& splits, const Examination& examined,
                        Console& console);

}  // namespace enxerto::cli
