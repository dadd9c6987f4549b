/// Zip archives in memory: PyTorch's files and Keras's are such.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace enxerto {

/// An archive whose entries are read one by one. The bytes are borrowed and must outlive it. Everything it
/// refuses is an Error naming the file and, where there is one, the entry: corrupt for what is damaged or
/// cannot be (a size that no compression reaches, two entries of one name), unsupported for what is merely
/// not read (encryption, methods other than stored and deflated, too many entries). For one thread at a time.
class ZipArchive {
 public:
  /// Reads the directory. `file` stands for the archive in errors.
  ZipArchive(std::span<const std::uint8_t> bytes, std::string file);
  ~ZipArchive();
  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) noexcept;

  const std::vector<std::string>& names() const;  ///< in the order of the directory
  bool has(const std::string& name) const;

  /// The entry's size as the directory declares it; read() gives exactly so many bytes or throws.
  std::uint64_t size_of(const std::string& name) const;

  /// The entry's content, its checksum checked. Takes no more memory than the declared size, which must not
  /// be beyond `limit` bytes. Error{not_found} where there is no such entry.
  std::vector<std::uint8_t> read(const std::string& name, std::uint64_t limit) const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace enxerto
