#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "enxerto/core/error.h"
#include "enxerto/weights/npy.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The reader takes a path only; this one leads to memory.
  const int file = ::memfd_create("fuzzed", 0);
  enxerto::ensure(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size), "a file in memory");
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  enxerto::fuzz([&] { enxerto::load_npy_floats(path); });
  enxerto::fuzz([&] { enxerto::load_npy_integers(path); });
  enxerto::fuzz([&] { enxerto::load_npy_rows(path); });
  ::close(file);
  return 0;
}
