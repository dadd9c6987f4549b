/// What every reader of a weight file needs, because the file may be damaged or hostile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace enxerto {

/// A name from a file, fit for one line of an error: quoted, escaped, and not too long.
std::string shown(const std::string& name);

/// Whether the bytes are valid UTF-8, as names in our own files have to be.
bool is_utf8(const std::string& bytes);

/// The number of elements, or -1 where a size is negative or the product goes beyond 2^63. Zeros are left
/// out of the check's product, so that sizes such as {0, 2^62, 2^62} cannot overflow in anybody's arithmetic.
std::int64_t count(const std::vector<std::int64_t>& dims);

}  // namespace enxerto
