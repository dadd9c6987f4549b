#include "enxerto/core/system.h"

#include <omp.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "enxerto/core/environment.h"

namespace enxerto {

void set_threads(int threads) {
  if (threads <= 0) threads = environment().threads;
  if (threads <= 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  omp_set_num_threads(threads > 0 ? threads : 1);
}

int threads() { return omp_get_max_threads(); }

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

std::string chip_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

Isa chip_isa() {
#if defined(__x86_64__)
  const std::string& allowed = environment().max_isa;
  if (allowed == "SSE41" || allowed == "AVX") return Isa::generic;
  if (!allowed.starts_with("AVX2") && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::generic;
}

}  // namespace enxerto
