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

[[noreturn]] void fail(const fs::path& path, std::string_view tried) {
  const int code = errno;
  const ErrorKind kind = code == ENOENT ? ErrorKind::not_found : ErrorKind::io;
  std::string advice;
  if (code == ENOSPC) advice = "; free some space or choose another place";
  if (code == EROFS || code == EACCES) advice = "; check the permissions or choose another place";
  throw Error(kind, text(path.string(), ": ", tried, ": ", std::strerror(code), advice));
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& path, std::uint64_t limit) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail(path, "cannot be opened");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail(path, "cannot be read");
  if (S_ISDIR(info.st_mode))
    throw Error(ErrorKind::not_found, text(path.string(), ": is a folder, a file was expected"));
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
  const fs::path beside = path.string() + text(".partial", ::getpid());
  Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) fail(path, "cannot be written");
  const auto give_up = [&] {
    const int code = errno;
    ::unlink(beside.c_str());
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
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP) give_up();
  // Some file systems report a full disk only here.
  if (::close(file.release()) != 0) give_up();
  if (::rename(beside.c_str(), path.c_str()) != 0) give_up();
}

void write_file(const fs::path& path, std::string_view content) {
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(content.data()),
                                            content.size());
  write_file(path, std::span(&bytes, 1));
}

void make_folder(const fs::path& path, std::string_view advice) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw Error(ErrorKind::io, text(path.string(), ": the folder cannot be made: ",
                                    code ? code.message() : "a file is in the way", "; ", advice));
}

}  // namespace enxerto
