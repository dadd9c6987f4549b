/// The machine: its threads, its clock, its memory.
#pragma once

#include <cstdint>
#include <string>

namespace enxerto {

/// Threads that the kernels use. set_threads(0): ENXERTO_THREADS, or all cores.
void set_threads(int threads);
int threads();

/// Seconds on a clock that only goes forward.
double now_seconds();

/// The most memory that this process has held at once, in bytes (resident set).
std::int64_t peak_memory_bytes();

/// What the processor calls itself, and the widest instruction set of interest that it has and that
/// DNNL_MAX_CPU_ISA allows: our kernels and oneDNN's keep to the same.
std::string chip_name();
enum class Isa { generic, avx2, avx512 };  ///< avx512: F, BW, VL and DQ
Isa chip_isa();

}  // namespace enxerto
