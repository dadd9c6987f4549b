#include "enxerto/data/picture_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "ENXPICS1";
constexpr std::string_view ending = ".pictures", unfinished_ending = ".unfinished";

/// Not against forgers: against damage, and so that different data meet in different files.
class Hash {
 public:
  explicit Hash(std::uint64_t seed) : state_(seed) {}
  void add(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9FB21C651E98DF25u;
    state_ ^= std::rotr(state_, 29);
  }
  void add(std::span<const std::uint8_t> bytes) {
    add(bytes.size());
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + i, 8);
      add(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
    add(rest);
  }
  void add(std::string_view text) {
    add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  }
  std::uint64_t value() const {
    std::uint64_t v = state_ * 0xD6E8FEB86659FD93u;
    return v ^ v >> 32;
  }

 private:
  std::uint64_t state_;
};

constexpr std::uint64_t absent = 0;  ///< in place of a picture's checksum

std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  Hash hash(0x243F6A8885A308D3u);
  hash.add(bytes);
  return hash.value() == absent ? 1 : hash.value();
}

bool write_all(int file, std::span<const std::uint8_t> bytes, std::int64_t at) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        ::pwrite(file, bytes.data() + done, bytes.size() - done, at + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

bool read_all(int file, std::span<std::uint8_t> bytes, std::int64_t at) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        ::pread(file, bytes.data() + done, bytes.size() - done, at + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

template <class Value>
std::span<std::uint8_t> bytes_of(std::vector<Value>& values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(Value)};
}

/// What killed runs left behind: nobody has them locked.
void remove_orphans(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (entry->path().extension() != unfinished_ending) continue;
    const int file = ::open(entry->path().c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) continue;
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    ::close(file);
  }
}

}  // namespace

/// The opening of a file: two hashes of what it is of, its sizes, and the checksum of the checksums.
struct PictureCache::Header {
  std::array<std::uint64_t, 2> key{};
  std::uint64_t pictures = 0, picture_bytes = 0, table = 0;
  static constexpr std::size_t bytes = 48;

  std::vector<std::uint8_t> packed() const {
    std::vector<std::uint8_t> out(bytes);
    std::memcpy(out.data(), magic.data(), magic.size());
    const std::uint64_t fields[] = {key[0], key[1], pictures, picture_bytes, table};
    std::memcpy(out.data() + magic.size(), fields, sizeof fields);
    return out;
  }
};

PictureCache::PictureCache(const fs::path& folder, const Dataset& data, const Preprocess& preprocess) {
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code))
    throw Error(ErrorKind::usage, text(folder.string(), ": is a file; the picture cache needs a folder"));
  make_folder(folder);
  nlohmann::json program = preprocess.to_json();
  for (const char* later : {"mean", "std", "scale", "order"}) program.erase(later);
  std::array hashes{Hash(1), Hash(2)};
  const auto add = [&](const auto& value) {
    for (Hash& hash : hashes) hash.add(value);
  };
  add(std::string_view(program.dump()));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const fs::path path = fs::absolute(data.name(i), code);
    struct stat info {};
    if (code || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
    add(std::string_view(path.native()));
    add(static_cast<std::uint64_t>(info.st_size));
    add(static_cast<std::uint64_t>(info.st_mtim.tv_sec) * 1000000000u +
        static_cast<std::uint64_t>(info.st_mtim.tv_nsec));
  }
  if (data.size() == 0) return;
  Header header;
  header.key = {hashes[0].value(), hashes[1].value()};
  header.pictures = static_cast<std::uint64_t>(data.size());
  picture_bytes_ = static_cast<std::size_t>(preprocess.shape().size());
  header.picture_bytes = picture_bytes_;
  char name[17];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(header.key[0]));
  path_ = folder / (name + std::string(ending));
  checksums_.resize(static_cast<std::size_t>(data.size()));
  there_.resize(checksums_.size());
  remove_orphans(folder);
  if (!open_whole(header)) create(header);
}

PictureCache::~PictureCache() {
  // The pictures that a short last batch leaves out are no reason to lose the others.
  if (!own_path_.empty() && missing_ <= std::ssize(checksums_) / 10) finish();
  if (!own_path_.empty()) ::unlink(own_path_.c_str());
  if (file_ >= 0) ::close(file_);
}

std::int64_t PictureCache::place_of(std::int64_t index) const {
  return static_cast<std::int64_t>(Header::bytes + checksums_.size() * sizeof checksums_[0]) +
         index * static_cast<std::int64_t>(picture_bytes_);
}

bool PictureCache::open_whole(const Header& header) {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) return false;
  struct stat info {};
  std::vector<std::uint8_t> found(Header::bytes);
  bool good = ::fstat(file_, &info) == 0 &&
              info.st_size == place_of(static_cast<std::int64_t>(header.pictures)) &&
              read_all(file_, found, 0) && read_all(file_, bytes_of(checksums_), Header::bytes);
  if (good) {
    Header expected = header;
    expected.table = checksum(bytes_of(checksums_));
    good = found == expected.packed();
  }
  if (good) {
    for (std::size_t i = 0; i < there_.size(); ++i) there_[i] = checksums_[i] != absent;
    return true;
  }
  note_ = text(path_.string(), ": was damaged and is made anew");
  ::close(file_);
  file_ = -1;
  return false;
}

void PictureCache::create(const Header& header) {
  static std::atomic<int> number{0};
  header_ = header.packed();
  own_path_ = path_;
  own_path_ += text(".", ::getpid(), "-", number++, unfinished_ending);
  file_ = ::open(own_path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file_ < 0) {
    const std::string why = std::strerror(errno);
    own_path_.clear();
    return give_up(why);
  }
  ::flock(file_, LOCK_EX | LOCK_NB);
  missing_ = static_cast<std::int64_t>(header.pictures);
  if (const int failed = ::posix_fallocate(file_, 0, place_of(missing_))) give_up(std::strerror(failed));
}

void PictureCache::give_up(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (given_up_) return;
  given_up_ = true;
  note_ = text(path_.string(), ": the picture cache cannot be written (", why, "); it goes on without");
  if (!own_path_.empty()) ::unlink(own_path_.c_str());
  own_path_.clear();
}

bool PictureCache::find(std::int64_t index, std::span<std::uint8_t> picture) {
  const auto i = static_cast<std::size_t>(index);
  if (path_.empty() || !there_[i]) return false;
  if (read_all(file_, picture, place_of(index)) && checksum(picture) == checksums_[i]) return true;
  there_[i] = 0;
  const std::lock_guard lock(mutex_);
  // The next run makes it anew.
  if (own_path_.empty() && !given_up_) {
    ::unlink(path_.c_str());
    note_ = text(path_.string(), ": is damaged and was removed; pictures are decoded where it is");
    given_up_ = true;
  }
  return false;
}

void PictureCache::keep(std::int64_t index, std::span<const std::uint8_t> picture) {
  const auto i = static_cast<std::size_t>(index);
  {
    const std::lock_guard lock(mutex_);
    if (path_.empty() || given_up_ || own_path_.empty() || there_[i]) return;
  }
  if (!write_all(file_, picture, place_of(index))) return give_up(std::strerror(errno));
  checksums_[i] = checksum(picture);
  const std::lock_guard lock(mutex_);
  if (given_up_) return;
  there_[i] = 1;
  if (--missing_ == 0) finish();
}

void PictureCache::finish() {
  const std::uint64_t table = checksum(bytes_of(checksums_));
  std::memcpy(header_.data() + Header::bytes - sizeof table, &table, sizeof table);
  if (write_all(file_, bytes_of(checksums_), Header::bytes) && write_all(file_, header_, 0) &&
      ::rename(own_path_.c_str(), path_.c_str()) == 0) {
    ::flock(file_, LOCK_UN);
  } else {
    note_ = text(path_.string(), ": the picture cache cannot be written (", std::strerror(errno),
                 "); it goes on without");
    given_up_ = true;
    ::unlink(own_path_.c_str());
  }
  own_path_.clear();
}

std::string PictureCache::note() const {
  const std::lock_guard lock(mutex_);
  return note_;
}

std::int64_t PictureCache::memory_bytes() const {
  return static_cast<std::int64_t>(checksums_.size() * (sizeof checksums_[0] + sizeof there_[0]));
}

}  // namespace enxerto
