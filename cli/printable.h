/// What comes from outside, such as names of files and classes, on its way to a terminal.
#pragma once

#include <string>
#include <string_view>

namespace enxerto::cli {

/// One line that steers no terminal: control characters of ASCII and of Unicode's first page as "\x1b".
std::string printable(std::string_view text);

}  // namespace enxerto::cli
