/// Numbers of the command line, where CLI11 lets pass what is none or wraps around.
#pragma once

#include <CLI/CLI.hpp>

namespace enxerto::cli {

/// A finite number from `low` to `high`. (CLI::Range takes "nan".)
CLI::Validator number_from(double low, double high);
/// A whole number from 0 to 2^64 - 1. (CLI11 reads "-1" as the largest.)
CLI::Validator seed_number();

}  // namespace enxerto::cli
