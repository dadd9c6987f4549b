#include "cli/numbers.h"

#include <charconv>
#include <cstdint>

#include "enxerto/core/text.h"

namespace enxerto::cli {

CLI::Validator number_from(double low, double high) {
  return {[low, high](std::string& word) {
            double value = 0;
            const bool fits = CLI::detail::lexical_cast(word, value) && value >= low && value <= high;
            return fits ? "" : text("a number from ", low, " to ", high, ", not ", word);
          },
          ""};
}

CLI::Validator seed_number() {
  return {[](std::string& word) {
            std::uint64_t value = 0;
            const char* const end = word.data() + word.size();
            const auto [stop, code] = std::from_chars(word.data(), end, value);
            return code == std::errc() && stop == end ? ""
                                                      : text("a whole number from 0 to 2^64 - 1, not ", word);
          },
          ""};
}

}  // namespace enxerto::cli
