#include "enxerto/core/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace fs = std::filesystem;

Lock::Lock(fs::path path, int how) : path_(std::move(path)), file_(::open(path_.c_str(), how, 0644)) {
  if (file_ < 0)
    throw Error(ErrorKind::io, text(path_.string(), ": cannot be locked: ", std::strerror(errno)));
}
Lock Lock::on_file(const fs::path& path) { return {path, O_RDWR | O_CREAT | O_CLOEXEC}; }
Lock Lock::on_folder(const fs::path& path) { return {path, O_RDONLY | O_DIRECTORY | O_CLOEXEC}; }
Lock::Lock(Lock&& from) noexcept : path_(std::move(from.path_)), file_(std::exchange(from.file_, -1)) {}
Lock& Lock::operator=(Lock&& from) noexcept {
  std::swap(path_, from.path_);
  std::swap(file_, from.file_);
  return *this;
}
Lock::~Lock() {
  if (file_ >= 0) ::close(file_);
}

bool Lock::try_take() {
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK || errno == EINTR) return false;
  if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) return true;
  throw Error(ErrorKind::io, text(path_.string(), ": cannot be locked: ", std::strerror(errno)));
}

}  // namespace enxerto
