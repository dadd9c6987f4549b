/// RowStore: rows of one size in a file, found again by what they were computed from. What caches of
/// pictures and of features are made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "enxerto/core/content_hash.h"

namespace enxerto {

struct RowStoreOptions {
  ContentKey kind;            ///< what rows these are: program, format, version. A file for each kind.
  std::size_t row_bytes = 0;  ///< of every row
  std::string ending = ".rows";
  /// The file grows no further. Where it is full, rows that were not used for a day go at the next opening;
  /// at any opening those that were not used for `stale_days`, once they are a quarter of the file.
  std::int64_t limit_bytes = std::int64_t{8} << 30;
  int stale_days = 30;
  int today = 0;  ///< days since 1970, for tests; 0: the clock's
};

/// FOLDER/<hash of kind><ending>: a header, then rows in the order in which they were kept, each with its key
/// and a checksum of both. A row is there for this process, others and later ones as soon as keep() returns:
/// kill -9 at any moment loses at most the row that is being written. What is damaged, cut short or of
/// something else is never believed and computed anew; several processes may use a file at once. Nothing here
/// is worth an end of the run: where the disk is full, or the folder may not be written, note() says so and
/// rows are not kept. All calls may come from many threads at once.
class RowStore {
 public:
  static constexpr std::int64_t row_memory_bytes = 80;  ///< what the table takes for a row, about

  /// Makes the folder where it is missing; Error{usage} where a file is in its place, Error{io} where it
  /// cannot be made. Reads the head of every row.
  RowStore(const std::filesystem::path& folder, const RowStoreOptions& options);
  ~RowStore();
  RowStore(RowStore&&) noexcept;
  RowStore& operator=(RowStore&&) noexcept;

  /// Copies the row, of row_bytes; false where it is not there.
  bool find(const ContentKey& key, std::span<std::uint8_t> row);
  /// The row in the file, mapped; empty where it is not there. At a multiple of 64 bytes, valid while the
  /// store lives and its file is not cut short by somebody else: find() is safe from that too.
  std::span<const std::uint8_t> view(const ContentKey& key);
  /// Whether a row of this key is known; find() may still meet damage.
  bool holds(const ContentKey& key);
  /// Does nothing where the row is there already.
  void keep(const ContentKey& key, std::span<const std::uint8_t> row);
  /// Onto the disk itself, against the loss of power too; a killed process loses nothing without it.
  void flush();

  /// For people: what is wrong with it; empty where nothing is.
  std::string note() const;
  std::int64_t rows() const;
  std::int64_t file_bytes() const;
  const std::filesystem::path& path() const;  ///< of the file

 private:
  class File;
  std::unique_ptr<File> file_;
};

}  // namespace enxerto
