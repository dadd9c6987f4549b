#include "enxerto/image/colour_loops.h"

#include "enxerto/core/system.h"
#define ENXERTO_ISA colour_generic
#include "enxerto/image/colour_loops.inl"

namespace enxerto {

const ColourLoops& colour_loops_generic() { return colour_generic::colour_table; }

#if !defined(__x86_64__)
const ColourLoops* colour_loops_avx2() { return nullptr; }
#endif

const ColourLoops& colour_loops() {
  static const ColourLoops* const one = [] {
    const ColourLoops* wide = colour_loops_avx2();
    return wide && chip_isa() != Isa::generic ? wide : &colour_loops_generic();
  }();
  return *one;
}

}  // namespace enxerto
