/// Work for several threads whose result does not depend on their number. Not installed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace enxerto {

/// Calls work(i) for each i in [0, n), from up to `threads` threads in any order; rethrows the first
/// exception that a call threw, after all have stopped.
template <class Work>
void parallel_for(std::int64_t n, int threads, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex mutex;
  const auto run = [&] {
    for (std::int64_t i = next++; i < n; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next = n;
        return;
      }
    }
  };
  const auto extra = std::min<std::int64_t>(threads, n) - 1;
  std::vector<std::jthread> others;
  for (std::int64_t i = 0; i < extra; ++i) others.emplace_back(run);
  run();
  others.clear();  // waits
  if (error) std::rethrow_exception(error);
}

}  // namespace enxerto
