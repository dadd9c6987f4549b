/// A lock between processes.
#pragma once

#include <filesystem>

namespace enxerto {

/// On a file or folder. The lock is the system's (flock), so it ends with the process, however that ends, or
/// with this object. A file system that knows no locks lets everybody through.
class Lock {
 public:
  /// On a file, which is made empty where it is not there. It stays: removing it would let two processes lock
  /// two files of one name.
  static Lock on_file(const std::filesystem::path& path);
  static Lock on_folder(const std::filesystem::path& path);
  Lock(Lock&& from) noexcept;
  Lock& operator=(Lock&& from) noexcept;
  ~Lock();

  /// Whether it is ours now. Throws Error{io}, as the two above do.
  bool try_take();

 private:
  Lock(std::filesystem::path path, int how);

  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace enxerto
