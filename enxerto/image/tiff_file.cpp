#include "enxerto/image/tiff_file.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

TiffFile& file_of(thandle_t handle) { return *static_cast<TiffFile*>(handle); }

tmsize_t on_read(thandle_t handle, void* to, tmsize_t size) {
  TiffFile& file = file_of(handle);
  if (size <= 0 || file.position >= file.bytes.size()) return 0;
  const std::size_t count =
      std::min(static_cast<std::size_t>(size), file.bytes.size() - static_cast<std::size_t>(file.position));
  std::memcpy(to, file.bytes.data() + file.position, count);
  file.position += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t on_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t on_seek(thandle_t handle, toff_t offset, int from) {
  TiffFile& file = file_of(handle);
  if (from == SEEK_SET) file.position = offset;
  if (from == SEEK_CUR) file.position += offset;
  if (from == SEEK_END) file.position = file.bytes.size() + offset;
  return file.position;
}

int on_close(thandle_t) { return 0; }

toff_t on_size(thandle_t handle) { return file_of(handle).bytes.size(); }

#if TIFFLIB_VERSION >= 20221213  // libtiff 4.5: each file has handlers of its own

int on_error(TIFF*, void* file, const char* module, const char* format, std::va_list values) {
  static_cast<TiffFile*>(file)->hear(true, module, format, values);
  return 1;  // and nobody else is to hear of it
}

int on_warning(TIFF*, void* file, const char* module, const char* format, std::va_list values) {
  static_cast<TiffFile*>(file)->hear(false, module, format, values);
  return 1;
}

#else

/// The file that this thread reads: older versions have one handler for all files of the process.
thread_local TiffFile* current = nullptr;
TIFFErrorHandler error_handler_before = nullptr, warning_handler_before = nullptr;

void on_error(const char* module, const char* format, std::va_list values) {
  if (current) {
    current->hear(true, module, format, values);
  } else if (error_handler_before) {
    error_handler_before(module, format, values);
  }
}

void on_warning(const char* module, const char* format, std::va_list values) {
  if (current) {
    current->hear(false, module, format, values);
  } else if (warning_handler_before) {
    warning_handler_before(module, format, values);
  }
}

#endif

}  // namespace

TiffFile::TiffFile(std::span<const std::uint8_t> given) : bytes(given) {
  tiff_ = open();
  if (!tiff_) {
#if TIFFLIB_VERSION < 20221213
    current = nullptr;
#endif
    check(false);
  }
}

TiffFile::~TiffFile() {
  if (tiff_) TIFFClose(tiff_);
#if TIFFLIB_VERSION < 20221213
  current = nullptr;
#endif
}

TIFF* TiffFile::open() {
  // m: not mapped into memory, it is there already.
  constexpr const char *name = "TIFF", *mode = "rm";
#if TIFFLIB_VERSION >= 20221213
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (!options) throw std::bad_alloc();
  constexpr tmsize_t most_bytes = tmsize_t{1} << 28;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, most_bytes + 2 * static_cast<tmsize_t>(bytes.size()));
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, this);
  TIFF* tiff = TIFFClientOpenExt(name, mode, this, on_read, on_write, on_seek, on_close, on_size, nullptr,
                                 nullptr, options);
  TIFFOpenOptionsFree(options);
  return tiff;
#else
  static std::once_flag once;
  std::call_once(once, [] {
    error_handler_before = TIFFSetErrorHandler(on_error);
    warning_handler_before = TIFFSetWarningHandler(on_warning);
  });
  current = this;
  return TIFFClientOpen(name, mode, this, on_read, on_write, on_seek, on_close, on_size, nullptr, nullptr);
#endif
}

void TiffFile::hear(bool is_error, const char* module, const char* format, std::va_list values) {
  // Warnings about unknown tags are of no account; of these two codecs they say that the pixels are damaged.
  const std::string_view from = module ? module : "";
  if (!is_error && !from.starts_with("JPEG") && !from.starts_with("Fax")) return;
  damaged_ = true;
  if (!message_.empty()) return;  // what came first is the cause
  std::array<char, 256> line{};
  std::vsnprintf(line.data(), line.size(), format, values);
  message_ = line.data();
}

void TiffFile::fail(std::string_view why) {
  throw Error(ErrorKind::corrupt, text("is a TIFF picture that is damaged or cut short: ", why));
}

}  // namespace enxerto
