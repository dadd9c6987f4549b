#include "enxerto/image/colour_loops.h"
#define ENXERTO_ISA colour_avx2
#include "enxerto/image/colour_loops.inl"

namespace enxerto {
const ColourLoops* colour_loops_avx2() { return &colour_avx2::colour_table; }
}  // namespace enxerto
