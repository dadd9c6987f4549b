/// NumPy's .npy files: one array of numbers.
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "enxerto/tensor/tensor.h"

namespace enxerto {

/// Dense, the last size innermost; values.size() is the product of dims.
template <class T>
struct NpyArray {
  std::vector<std::int64_t> dims;
  std::vector<T> values;
};

/// Reads float32 and float64 (rounded). Throws Error naming the file: corrupt, or unsupported for
/// other types, big-endian numbers and Fortran's order; and what read_file() throws.
NpyArray<float> load_npy_floats(const std::filesystem::path& path);

/// Rows of features: float32, float16 and float64 (rounded), {n, ...} with what follows n side by side, as
/// {n,c}. The file is read piece by piece, so that it takes the memory of its numbers as float32 and no more.
/// Throws as above, and Error{corrupt} where there are fewer than two sizes or no numbers.
Tensor load_npy_rows(const std::filesystem::path& path);

/// Reads int64, int32 and uint8: labels. Throws as above.
NpyArray<std::int64_t> load_npy_integers(const std::filesystem::path& path);

/// Writes float32 or int64; the product of dims must be values.size(). Throws Error{io}.
void save_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& dims,
              std::span<const float> values);
void save_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& dims,
              std::span<const std::int64_t> values);

}  // namespace enxerto
