/// A loop over threads that an exception leaves as it leaves any other loop. Not installed.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

namespace enxerto {

/// Calls f(i) for i in [0, n), in no order; rethrows the first exception after all threads have stopped.
template <class F>
void parallel_for(std::int64_t n, const F& f) {
  std::exception_ptr failure;
  std::atomic<bool> failed = false;
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t i = 0; i < n; ++i) {
    if (failed) continue;
    try {
      f(i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace enxerto
