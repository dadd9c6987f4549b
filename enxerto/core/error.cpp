#include "enxerto/core/error.h"

#include "enxerto/core/text.h"

namespace enxerto {

void ensure(bool kept, const char* promise, std::source_location where) {
  if (!kept)
    throw std::logic_error(text(where.file_name(), ":", where.line(), ": broken promise: ", promise));
}

}  // namespace enxerto
