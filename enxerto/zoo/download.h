/// One file over HTTPS (libcurl), into a part file that a later call goes on with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "enxerto/core/error.h"

namespace enxerto {

/// The server, or the way to it, is at fault: the file may still be had by other means.
class TransferError : public Error {
 public:
  using Error::Error;
};

struct DownloadOptions {
  double stall_seconds = 60;  ///< give up when nothing arrives for so long; connecting may take 30 at most
  std::uint64_t max_bytes = std::uint64_t{4} << 30;  ///< give up on what is larger
};

/// Bytes that are there and bytes in all, 0 where the server does not say. Returning false stops.
using OnBytes = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Throws Error{usage} unless the URL is https://, or http:// of this very machine (for tests), and holds
/// no name or password.
void check_url(const std::string& url);

/// Downloads into `part`. Where `part` and the note beside it (`part`.json) are from the same URL, it goes on
/// behind what is there, provided that the server says that its file is still the same (If-Range with the
/// ETag or else the date); otherwise from the start. Redirects lead to https:// only. What has arrived
/// stays in `part` when this throws: TransferError, Error{io} where the disk is full or the file
/// cannot be written, Error{interrupted} where `progress` stopped it.
void download(const std::string& url, const std::filesystem::path& part, const DownloadOptions& options,
              const OnBytes& progress);

/// The note beside a part file.
std::filesystem::path note_of(const std::filesystem::path& part);

}  // namespace enxerto
