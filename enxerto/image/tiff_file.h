/// libtiff on bytes in memory: an open file whose complaints become Errors. Not installed.
#pragma once

#include <tiffio.h>

#include <cstdarg>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace enxerto {

/// Stays where it is made: libtiff holds its address.
class TiffFile {
 public:
  /// Opens the first page. `bytes` has to outlive the file. Throws Error{corrupt}.
  explicit TiffFile(std::span<const std::uint8_t> bytes);
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;
  ~TiffFile();

  TIFF* get() const { return tiff_; }
  /// Throws where `ok` is not, and where libtiff has reported damage although it went on.
  void check(bool ok) const {
    if (!ok || damaged_) fail(message_.empty() ? "it makes no sense" : message_);
  }
  [[noreturn]] static void fail(std::string_view why);
  /// A tag of the page, or `otherwise`.
  template <class Number>
  Number tag(std::uint32_t name, Number otherwise) const {
    Number value = otherwise;
    return TIFFGetFieldDefaulted(tiff_, name, &value) ? value : otherwise;
  }

  /// What libtiff has to say; public for the functions that it calls.
  void hear(bool is_error, const char* module, const char* format, std::va_list values);
  std::span<const std::uint8_t> bytes;
  std::uint64_t position = 0;

 private:
  TIFF* open();
  TIFF* tiff_ = nullptr;
  std::string message_;
  bool damaged_ = false;
};

}  // namespace enxerto
