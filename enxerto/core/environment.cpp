#include "enxerto/core/environment.h"

#include <cstdlib>
#include <string_view>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool flag(const char* name) {
  const std::string value = variable(name);
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  throw Error(ErrorKind::usage, text(name, "=", value, ": must be 0 or 1"));
}

/// The folder that was asked for, or the place for caches of the XDG base directory specification, which
/// wants relative paths passed over.
std::string cache_folder() {
  if (std::string value = variable("ENXERTO_CACHE"); !value.empty()) return value;
  if (const std::string value = variable("XDG_CACHE_HOME"); value.starts_with('/')) return value + "/enxerto";
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/enxerto";
}

Environment read_environment() {
  Environment made;
  if (const std::string value = variable("ENXERTO_THREADS"); !value.empty()) {
    char* end = nullptr;
    const long threads = std::strtol(value.c_str(), &end, 10);
    if (*end != '\0' || threads < 1 || threads > 1024)
      throw Error(ErrorKind::usage, text("ENXERTO_THREADS=", value, ": must be a number from 1 to 1024"));
    made.threads = static_cast<int>(threads);
  }
  if (const std::string value = variable("ENXERTO_KERNELS"); !value.empty() && value != "fast") {
    if (value != "reference" && value != "direct")
      throw Error(ErrorKind::usage, text("ENXERTO_KERNELS=", value, ": must be fast, direct or reference"));
    made.reference_kernels = value == "reference";
    made.no_winograd = value == "direct";
  }
  made.check_finite = flag("ENXERTO_CHECK_FINITE");
  made.cache = cache_folder();
  made.mirror = variable("ENXERTO_MIRROR");
  made.max_isa = variable("DNNL_MAX_CPU_ISA");
  if (made.max_isa.empty()) made.max_isa = variable("ONEDNN_MAX_CPU_ISA");
  return made;
}

}  // namespace

const Environment& environment() {
  static const Environment once = read_environment();
  return once;
}

}  // namespace enxerto
