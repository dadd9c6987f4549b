#include "enxerto/zoo/builtin.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "enxerto/core/content_hash.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

// The assembler copies the file into the program; no compiler has to read megabytes of numbers.
// NOLINTNEXTLINE(hicpp-no-assembler)
asm(".section .rodata\n"
    ".balign 16\n"
    ".global enxerto_builtin_begin\n"
    ".global enxerto_builtin_end\n"
    "enxerto_builtin_begin:\n"
    ".incbin \"" ENXERTO_BUILTIN_FILE
    "\"\n"
    "enxerto_builtin_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const std::uint8_t enxerto_builtin_begin[], enxerto_builtin_end[];

namespace enxerto {

namespace fs = std::filesystem;

std::span<const std::uint8_t> builtin_model() { return {enxerto_builtin_begin, enxerto_builtin_end}; }

fs::path builtin_file(const fs::path& folder) {
  const std::span<const std::uint8_t> model = builtin_model();
  ContentHash hash;
  hash.add(model);
  const fs::path file = folder / text(builtin_name, "-", format_key(hash.key()).substr(0, 8), ".safetensors");
  std::error_code absent;
  if (fs::file_size(file, absent) == model.size() && !absent && std::ranges::equal(read_file(file), model))
    return file;
  make_folder(folder, "name another one with ENXERTO_CACHE");
  write_file(file, std::array{model});
  return file;
}

}  // namespace enxerto
