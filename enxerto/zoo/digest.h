/// Digests of files: what was published about a file, and what it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace enxerto {

/// What is known of a file before it is here, in lower-case hexadecimal digits. Empty: not published.
struct Published {
  std::string sha256;  ///< all 64 digits or the first of them, at least 8
  std::string md5;     ///< all 32
};

struct Digests {
  std::string sha256, md5;
  std::uint64_t bytes = 0;
};

/// Reads the whole file, a piece at a time. `progress(done, total)` returning false stops with
/// Error{interrupted}; it may be empty. Throws Error{not_found} and Error{io} too.
Digests digest_file(const std::filesystem::path& path,
                    const std::function<bool(std::uint64_t, std::uint64_t)>& progress = {});

/// Throws Error{usage} unless the digits are as Published wants them; upper case is made lower.
Published check_published(Published published);

/// How the two differ, for people: "its SHA-256 begins with 0676ba61, expected was 11ad3fa6"; empty where
/// they agree or nothing was published.
std::string find_difference(const Digests& digests, const Published& published);

/// "SHA-256 0676ba61...", "SHA-256 that begins with 0676ba61", "MD5 ..." or "no published hash".
std::string format_published(const Published& published);

}  // namespace enxerto
