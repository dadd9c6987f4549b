/// What the fuzzers share.
#pragma once

#include <cstdint>

#include "enxerto/core/error.h"

namespace enxerto {

/// Calls `read` on hostile bytes. It may return or throw Error; anything else, std::bad_alloc included, gets
/// out, and libFuzzer calls it a crash. Gives what LLVMFuzzerTestOneInput() returns.
template <class Read>
int fuzz(Read&& read) {
  try {
    read();
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace enxerto
