/// Every environment variable that Enxerto reads, in one place (docs/environment.md lists them).
#pragma once

#include <string>

namespace enxerto {

struct Environment {
  int threads = 0;                 ///< ENXERTO_THREADS: 0 means all cores
  bool reference_kernels = false;  ///< ENXERTO_KERNELS=reference: the slow twins, for finding faults
  bool no_winograd = false;        ///< ENXERTO_KERNELS=direct
  bool check_finite = false;       ///< ENXERTO_CHECK_FINITE=1: stop at the first node with NaN
  std::string cache;               ///< ENXERTO_CACHE: folder of weights and looks; empty where there is none
  std::string mirror;              ///< ENXERTO_MIRROR: where `pull` downloads from instead; empty: the origin
  std::string max_isa;             ///< DNNL_MAX_CPU_ISA, oneDNN's: the widest instructions to use
};

/// Read once, at the first call. Throws Error{usage} where a value makes no sense.
const Environment& environment();

}  // namespace enxerto
