/// What this chip can do at most, measured: the yardstick of profiles.
#pragma once

#include <string>

namespace enxerto {

struct Peak {
  std::string instructions;  ///< "avx512", "avx2" or "generic": those that the FMA probe used
  double gflops = 0;         ///< fp32 fused multiply-adds from registers, two operations each, 1e9 a second
  double gbytes = 0;  ///< a = b + s * c on blocks larger than any cache: read and written, 1e9 a second
};

/// Takes about half a second and 200 MB. Keeps to DNNL_MAX_CPU_ISA as the kernels do.
Peak measure_peak(int threads);

}  // namespace enxerto
