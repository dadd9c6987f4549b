#include "enxerto/core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view partial_mark = ".partial";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

[[noreturn]] void fail(const fs::path& path, std::string_view tried, ErrorKind kind = ErrorKind::io) {
  const int code = errno;
  if (code == ENOENT) kind = ErrorKind::not_found;
  std::string advice;
  if (code == ENOSPC) advice = "; free some space or choose another place";
  if (code == EROFS || code == EACCES) advice = "; check the permissions or choose another place";
  throw Error(kind, text(path.string(), ": ", tried, ": ", std::strerror(code), advice));
}

/// Whether it is the name that leads to no file for us, rather than the system that failed.
bool is_about_name(int code) {
  return code == EACCES || code == EPERM || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
}

/// Where symbolic links lead, be there a file or not.
fs::path end_of_links(fs::path path) {
  constexpr int most_links = 40;  // as Linux has it
  std::error_code ignored;
  for (int i = 0; fs::is_symlink(path, ignored); ++i) {
    if (i == most_links) {
      errno = ELOOP;
      fail(path, "cannot be written");
    }
    path = path.parent_path() / fs::read_symlink(path);
  }
  return path;
}

/// Whether something is there that is no file to be replaced: a pipe or a device, which takes what is
/// written.
bool takes_bytes_as_they_come(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  if (S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    fail(path, "cannot be written");
  }
  return !S_ISREG(info.st_mode);
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& path, std::uint64_t limit) {
  // Not to wait for whoever writes into a pipe.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0)
    fail(path, "cannot be opened", is_about_name(errno) ? ErrorKind::not_found : ErrorKind::io);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail(path, "cannot be read");
  if (S_ISDIR(info.st_mode))
    throw Error(ErrorKind::not_found, text(path.string(), ": is a folder, a file was expected"));
  // Readers look at a file several times, which a pipe does not bear.
  if (!S_ISREG(info.st_mode))
    throw Error(ErrorKind::unsupported,
                text(path.string(), ": is a pipe or a device, a file was expected; copy it into one first"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > limit)
    throw Error(ErrorKind::unsupported,
                text(path.string(), ": has ", human_bytes(static_cast<double>(size)), ", more than the ",
                     human_bytes(static_cast<double>(limit)), " that are read"));
  std::vector<std::uint8_t> bytes(size);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot be read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

std::string read_text_file(const fs::path& path, std::uint64_t limit) {
  const auto bytes = read_file(path, limit);
  return {bytes.begin(), bytes.end()};
}

void write_file(const fs::path& path, std::span<const std::span<const std::uint8_t>> parts) {
  // Before the links: /dev/stdout's ends in a name that is no path.
  const bool in_place = takes_bytes_as_they_come(path);
  const fs::path target = in_place ? path : end_of_links(path);
  const fs::path written = in_place ? path : fs::path(target.string() + text(partial_mark, ::getpid()));
  const int how = in_place ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  Descriptor file(::open(written.c_str(), how, 0644));
  if (file.get() < 0) fail(path, "cannot be written");
  const auto give_up = [&] {
    const int code = errno;
    if (!in_place) ::unlink(written.c_str());
    errno = code;
    fail(path, "cannot be written");
  };
  for (const auto part : parts) {
    std::size_t done = 0;
    while (done < part.size()) {
      const ssize_t put = ::write(file.get(), part.data() + done, part.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) give_up();
      done += static_cast<std::size_t>(put);
    }
  }
  if (!in_place && ::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP) give_up();
  // Some file systems report a full disk only here.
  if (::close(file.release()) != 0) give_up();
  if (!in_place && ::rename(written.c_str(), target.c_str()) != 0) give_up();
}

void write_file(const fs::path& path, std::string_view content) {
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(content.data()),
                                            content.size());
  write_file(path, std::span(&bytes, 1));
}

bool is_partial(std::string_view name) {
  const std::size_t at = name.rfind(partial_mark);
  if (at == std::string_view::npos || at + partial_mark.size() == name.size()) return false;
  return name.find_first_not_of("0123456789", at + partial_mark.size()) == std::string_view::npos;
}

void check_folder(const fs::path& path, std::string_view advice) {
  std::error_code ignored;
  fs::path there = fs::absolute(path, ignored);
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there, ignored))
    throw Error(ErrorKind::io,
                text(path.string(), ": the folder cannot be made: a file is in the way; ", advice));
  if (::access(there.c_str(), W_OK | X_OK) != 0)
    throw Error(ErrorKind::io, text(there.string(), ": nothing can be written there: ", std::strerror(errno),
                                    "; check the permissions or ", advice));
}

void make_folder(const fs::path& path, std::string_view advice) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw Error(ErrorKind::io, text(path.string(), ": the folder cannot be made: ",
                                    code ? code.message() : "a file is in the way", "; ", advice));
}

}  // namespace enxerto
