#include "enxerto/core/row_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/row_file.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using namespace row_file;

int clock_day() {
  using namespace std::chrono;
  return static_cast<int>(duration_cast<days>(system_clock::now().time_since_epoch()).count());
}

}  // namespace

/// One mutex guards everything but the reading of rows: the file's own bytes are checked after they were
/// read.
class RowStore::File {
 public:
  File(const fs::path& folder, const RowStoreOptions& options);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(); }

  bool find(const ContentKey& key, std::span<std::uint8_t> row);
  std::span<const std::uint8_t> view(const ContentKey& key);
  bool holds(const ContentKey& key);
  void keep(const ContentKey& key, std::span<const std::uint8_t> row);
  void flush();
  std::string note() const;
  std::int64_t rows() const;
  std::int64_t file_bytes() const;
  const fs::path& path() const { return path_; }

 private:
  struct KeyHash {
    std::size_t operator()(const ContentKey& key) const { return key.low; }
  };
  struct Place {
    std::int64_t slot = 0;
    bool damaged = false;   ///< the row; it is written anew in this place
    bool verified = false;  ///< for view(): once is enough
  };

  bool open();
  bool take_right(bool& alone);
  bool prepare_header(bool alone, bool& again);
  void close();
  void give_up(std::string_view why);
  void go_without(std::string_view why);
  void cannot_write() { give_up(text("cannot be written (", std::strerror(errno), ")")); }  // errno says why

  std::int64_t place_of(std::int64_t slot) const { return alignment + slot * stride_; }
  std::int64_t size_of_file() const;
  bool read_head(std::int64_t slot, Head& head) const;
  void learn_new_rows(std::vector<std::uint32_t>* used_days = nullptr);
  void learn(std::int64_t slot, const Head& head);
  void drop_stale(const std::vector<std::uint32_t>& used_days);
  bool copy_rows(int to, const std::vector<std::int64_t>& slots) const;
  Place* known(const ContentKey& key);
  void row_is_bad(const ContentKey& key, const Head& found, std::int64_t slot);
  void note_use(std::int64_t slot, std::uint32_t used_day) const;
  std::int64_t slot_for(const ContentKey& key);

  const RowStoreOptions options_;
  fs::path path_;
  std::int64_t stride_ = 0;
  std::uint32_t today_ = 0;
  int file_ = -1;
  std::atomic<bool> writable_ = false;
  const std::uint8_t* mapped_ = nullptr;
  std::int64_t mapped_bytes_ = 0;

  mutable std::mutex mutex_;
  std::unordered_map<ContentKey, Place, KeyHash> places_;
  std::vector<std::int64_t> unreadable_;  ///< slots whose heads say nothing: free for other rows
  std::int64_t slots_ = 0;                ///< that were looked at
  std::string note_;
};

RowStore::File::File(const fs::path& folder, const RowStoreOptions& options) : options_(options) {
  ensure(options.row_bytes > 0 && options.row_bytes < (std::size_t{1} << 40), "rows have a size");
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code))
    throw Error(ErrorKind::usage, text(folder.string(), ": is a file; a folder is needed to keep rows in"));
  make_folder(folder, "choose another --feature-cache, or ENXERTO_CACHE");
  ContentHash name;
  name.add(options.kind);
  name.add(options.row_bytes);
  path_ = folder / (format_key(name.key()).substr(0, 16) + options.ending);
  const auto row_bytes = static_cast<std::int64_t>(options.row_bytes);
  stride_ = alignment + (row_bytes + alignment - 1) / alignment * alignment;
  today_ = static_cast<std::uint32_t>(options.today > 0 ? options.today : clock_day());
  for (int tries = 0; tries < 1000; ++tries) {
    if (open()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  go_without("is being replaced by others all the time");
}

/// False where the file was replaced meanwhile: once more.
bool RowStore::File::open() {
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  writable_ = file_ >= 0;
  if (!writable_) {
    note_ = text(path_.string(), ": cannot be written (", std::strerror(errno),
                 "); what is there is used, nothing more is kept");
    file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) return true;
  }
  bool alone = false, again = false;
  if (!take_right(alone)) {
    go_without("cannot be locked, or is being rewritten by a process that does not go on");
    return true;
  }
  struct stat ours {
  }, named{};
  again = ::fstat(file_, &ours) != 0 || ::stat(path_.c_str(), &named) != 0 || ours.st_ino != named.st_ino ||
          ours.st_dev != named.st_dev;
  if (again || !prepare_header(alone, again)) {
    if (again) close();
    return !again;
  }
  std::vector<std::uint32_t> used_days;
  learn_new_rows(&used_days);
  if (alone) drop_stale(used_days);
  if (file_ >= 0) lock(file_, Right::use, F_RDLCK, 1);
  return true;
}

bool RowStore::File::take_right(bool& alone) {
  alone = writable_ && lock(file_, Right::use, F_WRLCK, 1);
  return alone || lock(file_, Right::use, F_RDLCK, 10000);
}

/// Whether the file is ours to use; `again` where it has to be opened once more.
bool RowStore::File::prepare_header(bool alone, bool& again) {
  const Header wanted = header_of(options_.kind, options_.row_bytes);
  Header found;
  const std::int64_t size = size_of_file();
  if (size >= alignment && transfer_all(::preadv, file_, std::array{value_part(found)}, 0) &&
      std::memcmp(&found, &wanted, sizeof found) == 0)
    return true;
  if (!alone) {
    // Its maker was killed before the first byte, or someone damaged it under those who use it.
    if (size == 0 && writable_) {
      again = true;
    } else {
      go_without("is damaged, and others use it");
    }
    return false;
  }
  if (size > 0) note_ = text(path_.string(), ": was damaged and is made anew");
  // Nobody else has it open, so nobody's mapping is cut.
  if (::ftruncate(file_, 0) != 0 || !transfer_all(::pwritev, file_, std::array{value_part(wanted)}, 0)) {
    go_without(text("cannot be written (", std::strerror(errno), ")"));
    return false;
  }
  return true;
}

void RowStore::File::close() {
  if (mapped_ != nullptr)
    ::munmap(const_cast<std::uint8_t*>(mapped_), static_cast<std::size_t>(mapped_bytes_));
  mapped_ = nullptr;
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  places_.clear();
  unreadable_.clear();
  slots_ = 0;
}

/// Nothing more is kept; what is there is still found.
void RowStore::File::give_up(std::string_view why) {
  writable_ = false;
  note_ = text(path_.string(), ": ", why, "; it goes on without keeping more");
}

/// Nor is anything found: whose rows these are is not certain.
void RowStore::File::go_without(std::string_view why) {
  give_up(why);
  close();
}

std::int64_t RowStore::File::size_of_file() const {
  struct stat info {};
  return file_ >= 0 && ::fstat(file_, &info) == 0 ? static_cast<std::int64_t>(info.st_size) : 0;
}

bool RowStore::File::read_head(std::int64_t slot, Head& head) const {
  return transfer_all(::preadv, file_, std::array{value_part(head)}, place_of(slot)) && is_good(head);
}

void RowStore::File::learn(std::int64_t slot, const Head& head) { places_[head.key] = {.slot = slot}; }

/// Of what was added since the last look, by us or by others. A row that is not whole yet, or never will be,
/// is none: the next one is written over it.
void RowStore::File::learn_new_rows(std::vector<std::uint32_t>* used_days) {
  const std::int64_t slots = (size_of_file() - alignment) / stride_;
  for (; slots_ < slots; ++slots_) {
    Head head;
    const bool good = read_head(slots_, head);
    if (good) learn(slots_, head);
    if (!good) unreadable_.push_back(slots_);
    if (used_days != nullptr) used_days->push_back(good ? head.used_day : 0);
  }
}

RowStore::File::Place* RowStore::File::known(const ContentKey& key) {
  auto at = places_.find(key);
  if (at == places_.end()) {
    learn_new_rows();
    at = places_.find(key);
  }
  return at == places_.end() || at->second.damaged ? nullptr : &at->second;
}

bool RowStore::File::find(const ContentKey& key, std::span<std::uint8_t> row) {
  ensure(row.size() == options_.row_bytes, "a row has row_bytes");
  std::int64_t slot = 0;
  {
    const std::lock_guard lock(mutex_);
    const Place* place = known(key);
    if (place == nullptr) return false;
    slot = place->slot;
  }
  Head head;
  if (transfer_all(::preadv, file_, std::array{value_part(head), bytes_part(row)}, place_of(slot)) &&
      head.key == key && head.row == row_checksum(key, row)) {
    note_use(slot, head.used_day);
    return true;
  }
  const std::lock_guard lock(mutex_);
  row_is_bad(key, head, slot);
  return false;
}

std::span<const std::uint8_t> RowStore::File::view(const ContentKey& key) {
  const std::lock_guard lock(mutex_);
  Place* place = known(key);
  if (place == nullptr) return {};
  const std::int64_t at = place_of(place->slot);
  if (mapped_ == nullptr) {
    // As far as it may grow: pages behind its end may be mapped, and are never touched before they are there.
    mapped_bytes_ = std::max(options_.limit_bytes, size_of_file());
    void* memory = ::mmap(nullptr, static_cast<std::size_t>(mapped_bytes_), PROT_READ,
                          MAP_SHARED | MAP_NORESERVE, file_, 0);
    if (memory == MAP_FAILED) return {};
    mapped_ = static_cast<const std::uint8_t*>(memory);
  }
  if (at + stride_ > std::min(mapped_bytes_, size_of_file())) return {};
  const std::span row(mapped_ + at + alignment, options_.row_bytes);
  if (!place->verified) {
    Head head;
    std::memcpy(&head, mapped_ + at, sizeof head);
    if (head.key != key || head.row != row_checksum(key, row)) {
      row_is_bad(key, head, place->slot);
      return {};
    }
    place->verified = true;
    note_use(place->slot, head.used_day);
  }
  return row;
}

bool RowStore::File::holds(const ContentKey& key) {
  const std::lock_guard lock(mutex_);
  return known(key) != nullptr;
}

/// Another process may have put another row into a slot that it took for unreadable; else it is damage.
void RowStore::File::row_is_bad(const ContentKey& key, const Head& found, std::int64_t slot) {
  const auto at = places_.find(key);
  if (at == places_.end() || at->second.slot != slot) return;
  if (is_good(found) && found.key != key) {
    places_.erase(at);
    learn(slot, found);
    return;
  }
  at->second.damaged = true;
  if (note_.empty()) note_ = text(path_.string(), ": is damaged in places; what was there is made anew");
}

void RowStore::File::note_use(std::int64_t slot, std::uint32_t used_day) const {
  if (!writable_ || used_day == today_) return;
  const auto at = place_of(slot) + static_cast<std::int64_t>(offsetof(Head, used_day));
  transfer_all(::pwritev, file_, std::array{value_part(today_)}, at);  // no harm where it fails
}

/// Where the row of this key goes; -1 where the file is full. Under the append lock.
std::int64_t RowStore::File::slot_for(const ContentKey& key) {
  if (const auto at = places_.find(key); at != places_.end()) return at->second.slot;  // damaged
  while (!unreadable_.empty()) {
    const std::int64_t slot = unreadable_.back();
    unreadable_.pop_back();
    Head head;
    if (!read_head(slot, head)) return slot;
    learn(slot, head);  // another process was here first
  }
  return place_of(slots_ + 1) <= options_.limit_bytes ? slots_ : -1;
}

void RowStore::File::keep(const ContentKey& key, std::span<const std::uint8_t> row) {
  ensure(row.size() == options_.row_bytes, "a row has row_bytes");
  Head head{key, row_checksum(key, row), 0, today_, {}};
  head.head = head_checksum(key, head.row);
  const std::lock_guard lock(mutex_);
  if (!writable_ || known(key) != nullptr) return;
  const AppendLock append(file_);
  if (!append.held()) return give_up("is locked by a process that does not go on");
  if (known(key) != nullptr) return;  // of another process, just now
  const std::int64_t slot = slot_for(key);
  if (slot < 0)
    return give_up(text("is full (", human_bytes(static_cast<double>(options_.limit_bytes)), ")"));
  static constexpr std::array<std::uint8_t, alignment> nothing{};
  const auto rest = static_cast<std::size_t>(stride_ - alignment) - row.size();
  const std::array parts{value_part(head), bytes_part(row), bytes_part(std::span(nothing).first(rest))};
  if (!transfer_all(::pwritev, file_, parts, place_of(slot))) return cannot_write();
  slots_ = std::max(slots_, slot + 1);
  learn(slot, head);
}

/// Alone with the file: what has not been used for long goes, by writing the others into a new one.
void RowStore::File::drop_stale(const std::vector<std::uint32_t>& used_days) {
  const bool full = place_of(slots_ + 1) > options_.limit_bytes;
  const std::uint32_t stale_days = full ? 1 : static_cast<std::uint32_t>(options_.stale_days);
  std::vector<std::int64_t> kept;
  for (const auto& [key, place] : places_)
    if (used_days[static_cast<std::size_t>(place.slot)] + stale_days >= today_) kept.push_back(place.slot);
  const std::int64_t dropped = slots_ - std::ssize(kept);
  if (dropped == 0 || (!full && dropped * 4 < slots_)) return;
  std::ranges::sort(kept);
  fs::path beside = path_;
  beside += ".unfinished";
  const int to = ::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (to < 0) return;
  // Whoever opens the new name waits until we are done with it.
  if (!lock(to, Right::use, F_WRLCK, 1) || !copy_rows(to, kept) ||
      ::rename(beside.c_str(), path_.c_str()) != 0) {
    ::unlink(beside.c_str());
    ::close(to);
    return;
  }
  close();
  file_ = to;
  learn_new_rows();
}

bool RowStore::File::copy_rows(int to, const std::vector<std::int64_t>& slots) const {
  const Header header = header_of(options_.kind, options_.row_bytes);
  if (!transfer_all(::pwritev, to, std::array{value_part(header)}, 0)) return false;
  std::vector<std::uint8_t> record(static_cast<std::size_t>(stride_));
  std::int64_t at = alignment;
  for (const std::int64_t slot : slots) {
    const std::array parts{bytes_part(record)};
    if (!transfer_all(::preadv, file_, parts, place_of(slot)) || !transfer_all(::pwritev, to, parts, at))
      return false;
    at += stride_;
  }
  return true;
}

void RowStore::File::flush() {
  if (file_ >= 0 && writable_ && ::fdatasync(file_) != 0) {
    const std::lock_guard lock(mutex_);
    cannot_write();
  }
}

std::string RowStore::File::note() const {
  const std::lock_guard lock(mutex_);
  return note_;
}

std::int64_t RowStore::File::rows() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(places_);
}

std::int64_t RowStore::File::file_bytes() const { return size_of_file(); }

RowStore::RowStore(const fs::path& folder, const RowStoreOptions& options)
    : file_(std::make_unique<File>(folder, options)) {}
RowStore::~RowStore() = default;
RowStore::RowStore(RowStore&&) noexcept = default;
RowStore& RowStore::operator=(RowStore&&) noexcept = default;

bool RowStore::find(const ContentKey& key, std::span<std::uint8_t> row) { return file_->find(key, row); }
std::span<const std::uint8_t> RowStore::view(const ContentKey& key) { return file_->view(key); }
bool RowStore::holds(const ContentKey& key) { return file_->holds(key); }
void RowStore::keep(const ContentKey& key, std::span<const std::uint8_t> row) { file_->keep(key, row); }
void RowStore::flush() { file_->flush(); }
std::string RowStore::note() const { return file_->note(); }
std::int64_t RowStore::rows() const { return file_->rows(); }
std::int64_t RowStore::file_bytes() const { return file_->file_bytes(); }
const fs::path& RowStore::path() const { return file_->path(); }

}  // namespace enxerto
