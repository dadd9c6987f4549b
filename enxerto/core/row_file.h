/// How the files of a RowStore are laid out, read, written and locked. Not installed.
#pragma once

#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <span>
#include <thread>

#include "enxerto/core/content_hash.h"

namespace enxerto::row_file {

inline constexpr std::uint64_t magic =
    0x3153574F52584E45u;  // "ENXROWS1"; another byte order reads another number
inline constexpr std::int64_t alignment = 64;

/// The opening of a file.
struct Header {
  std::uint64_t magic = 0;
  ContentKey kind;
  std::uint64_t row_bytes = 0, checksum = 0;
  std::array<std::uint64_t, 3> nothing{};
};

/// What stands before each row. The last use is no part of the checksums, so that it can change alone.
struct Head {
  ContentKey key;
  std::uint64_t row = 0;   ///< checksum of key and row
  std::uint64_t head = 0;  ///< of key and `row`
  std::uint32_t used_day = 0;
  std::array<std::uint32_t, 7> nothing{};
};
static_assert(sizeof(Header) == alignment && sizeof(Head) == alignment);

inline Header header_of(const ContentKey& kind, std::uint64_t row_bytes) {
  ContentHash hash(1);
  hash.add(kind);
  hash.add(row_bytes);
  return {magic, kind, row_bytes, hash.checksum(), {}};
}

inline std::uint64_t row_checksum(const ContentKey& key, std::span<const std::uint8_t> row) {
  ContentHash hash(2);
  hash.add(key);
  hash.add(row);
  return hash.checksum();
}

inline std::uint64_t head_checksum(const ContentKey& key, std::uint64_t row) {
  ContentHash hash(3);
  hash.add(key);
  hash.add(row);
  return hash.checksum();
}

inline bool is_good(const Head& head) { return head.head == head_checksum(head.key, head.row); }

/// All of the parts, one after the other, from `at` on; `transfer` is preadv or pwritev.
template <class Transfer, std::size_t n>
bool transfer_all(Transfer transfer, int file, std::array<iovec, n> parts, std::int64_t at) {
  std::size_t part = 0;
  while (true) {
    while (part < n && parts[part].iov_len == 0) ++part;
    if (part == n) return true;
    const ssize_t count = transfer(file, parts.data() + part, static_cast<int>(n - part), at);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;
    if (count <= 0) return false;
    at += count;
    for (auto left = static_cast<std::size_t>(count); left > 0;) {
      const std::size_t here = std::min(left, parts[part].iov_len);
      parts[part].iov_base = static_cast<char*>(parts[part].iov_base) + here;
      parts[part].iov_len -= here;
      left -= here;
      if (parts[part].iov_len == 0) ++part;
    }
  }
}

template <class Value>
iovec value_part(const Value& value) {
  return {const_cast<Value*>(&value), sizeof value};
}

inline iovec bytes_part(std::span<const std::uint8_t> bytes) {
  return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

/// Bytes of the file that stand for a right, locked per open file: a killed process gives them back.
enum class Right : off_t {
  use,    ///< shared by all that have it open; alone for who rewrites it
  append  ///< of who writes rows
};

inline bool lock(int file, Right right, short type, int tries) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(right);
  range.l_len = 1;
  while (::fcntl(file, F_OFD_SETLK, &range) != 0) {
    if ((errno != EAGAIN && errno != EACCES && errno != EINTR) || --tries <= 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class AppendLock {
 public:
  /// Not for ever: who has it may have been stopped.
  explicit AppendLock(int file) : file_(file), held_(lock(file, Right::append, F_WRLCK, 2000)) {}
  AppendLock(const AppendLock&) = delete;
  AppendLock& operator=(const AppendLock&) = delete;
  ~AppendLock() {
    if (held_) lock(file_, Right::append, F_UNLCK, 1);
  }
  bool held() const { return held_; }

 private:
  int file_;
  bool held_;
};

}  // namespace enxerto::row_file
