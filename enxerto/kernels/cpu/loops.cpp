#include "enxerto/kernels/cpu/loops.h"

#include "enxerto/core/system.h"

namespace enxerto::cpu {

namespace generic {
const Loops& table();
}
const Loops* loops_generic() { return &generic::table(); }

#if defined(__x86_64__)
namespace avx2 {
const Loops& table();
}
namespace avx512 {
const Loops& table();
}
const Loops* loops_avx2() { return &avx2::table(); }
const Loops* loops_avx512() { return &avx512::table(); }
#else
const Loops* loops_avx2() { return nullptr; }
const Loops* loops_avx512() { return nullptr; }
#endif

const Loops& loops() {
  static const Loops* const one = [] {
    if (chip_isa() == Isa::avx512 && loops_avx512()) return loops_avx512();
    if (chip_isa() != Isa::generic && loops_avx2()) return loops_avx2();
    return loops_generic();
  }();
  return *one;
}

}  // namespace enxerto::cpu
