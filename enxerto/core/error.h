/// Errors: what is wrong from outside throws Error; what is wrong in our own code, std::logic_error.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace enxerto {

/// What went wrong, as a caller can act on it. `cli/` turns each into an exit code.
enum class ErrorKind {
  usage,        ///< an argument makes no sense
  not_found,    ///< a file, folder, layer or class is missing
  corrupt,      ///< a file is damaged or hostile
  unsupported,  ///< well-formed, but not something that we can do
  io,           ///< the system refused: disk full, read-only, no permission
  diverged,     ///< a run turned to NaN or infinity
  interrupted,  ///< the user asked to stop; what was done is kept
};

/// Something wrong from outside. The text says what was tried, on what, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws std::logic_error with the source line where a promise of our own code is broken.
void ensure(bool kept, const char* promise, std::source_location where = std::source_location::current());

}  // namespace enxerto
