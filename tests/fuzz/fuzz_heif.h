/// What the fuzzers of HEIF and AVIF share.
#pragma once

#include "tests/fuzz/fuzz_pictures.h"

/// libheif 1.15.1 of Debian 12 does not free its decoders when they fail: about 28 KB for each damaged AVIF
/// file. Leaks of our own have no frame in these libraries, and are still found.
extern "C" inline const char* __attribute__((used)) __lsan_default_suppressions() {
  return "leak:libheif.so\nleak:libdav1d.so\nleak:libde265.so\nleak:libaom.so\n";
}
