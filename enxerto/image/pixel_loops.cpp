#include "enxerto/image/pixel_loops.h"

#include "enxerto/core/system.h"

namespace enxerto {

#if defined(__x86_64__)
namespace avx2 {
const PixelLoops& pixel_table();
}
namespace avx512 {
const PixelLoops& pixel_table();
}
const PixelLoops* pixel_loops_avx2() { return &avx2::pixel_table(); }
const PixelLoops* pixel_loops_avx512() { return &avx512::pixel_table(); }
#else
const PixelLoops* pixel_loops_avx2() { return nullptr; }
const PixelLoops* pixel_loops_avx512() { return nullptr; }
#endif

const PixelLoops& pixel_loops() {
  static const PixelLoops* const one = [] {
    if (chip_isa() == Isa::avx512 && pixel_loops_avx512()) return pixel_loops_avx512();
    if (chip_isa() != Isa::generic && pixel_loops_avx2()) return pixel_loops_avx2();
    return &pixel_loops_reference();
  }();
  return *one;
}

}  // namespace enxerto
