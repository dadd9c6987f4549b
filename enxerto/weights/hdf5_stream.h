/// What the child that reads an HDF5 file sends to its parent: records, one after the other, each a byte that
/// says which and then its fields. Numbers are 64-bit in the machine's order, a text is its length and bytes.
#pragma once

#include <cstdint>

namespace enxerto::hdf5 {

enum class Record : std::uint8_t {
  texts = 1,  ///< object, name, number of values, values
  array,      ///< path, rank, sizes, then 4 bytes a number
  failure,    ///< 1 where unsupported and 0 where corrupt, a text
  end,        ///< the file has been read to the end
};

// Limits that the child keeps and the parent checks.
constexpr std::uint64_t text_limit = 64u << 20;   ///< bytes of one text: a model's JSON
constexpr std::uint64_t text_cost = 64;           ///< bytes that a text takes beside its own
constexpr std::uint64_t path_limit = 4096;        ///< bytes of a path
constexpr std::uint64_t texts_limit = 100'000;    ///< values of one attribute
constexpr std::uint64_t records_limit = 500'000;  ///< attributes and arrays of a file
constexpr std::uint64_t rank_limit = 8;
constexpr int depth_limit = 64;  ///< groups inside groups

/// Bytes of all arrays as float, and of all texts, that a file of this size may have.
constexpr std::uint64_t content_limit(std::uint64_t file_bytes) {
  constexpr std::uint64_t least = 512u << 20;
  return file_bytes > least / 4 ? 4 * file_bytes : least;
}

}  // namespace enxerto::hdf5
