#include "enxerto/weights/zip.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/weights/checks.h"

namespace enxerto {
namespace {

constexpr std::uint64_t entry_limit = 100'000;
constexpr std::size_t directory_entry_bytes = 46;  // without its name
constexpr std::size_t end_bytes = 22, end64_bytes = 56, locator64_bytes = 20;
// The most that deflate can do: 258 bytes from two bits.
constexpr std::uint64_t ratio_limit = 1032;

/// Frees what libzip gives out.
struct Close {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
};

struct ZipError {
  zip_error_t error;
  ZipError() { zip_error_init(&error); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error); }
  std::string what() { return zip_error_strerror(&error); }
};

template <class T>
T number_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// libzip reserves memory for as many entries as the end of the archive declares, and tries every end that it
/// finds. So each of them is looked at first: no more than the bytes can hold, and one end only that is worth
/// a try, lest thousands of them are tried one after the other.
void check_ends(std::span<const std::uint8_t> bytes, const std::string& file) {
  constexpr std::string_view end_mark = "PK\5\6", end64_mark = "PK\6\6", locator_mark = "PK\6\7";
  const auto marked = [&](std::size_t at, std::string_view mark) {
    return std::memcmp(bytes.data() + at, mark.data(), mark.size()) == 0;
  };
  const auto too_many = [&](std::uint64_t entries) {
    if (entries > entry_limit && entries <= bytes.size() / directory_entry_bytes)
      throw Error(ErrorKind::unsupported, text(file, ": the archive has ", entries,
                                               " entries, more than the ", entry_limit, " that are read"));
    if (entries > bytes.size() / directory_entry_bytes)
      throw Error(ErrorKind::corrupt, text(file, ": the archive declares ", entries,
                                           " entries, more than it has room for; it is damaged"));
  };
  if (bytes.size() < end_bytes)
    throw Error(ErrorKind::corrupt,
                text(file, ": too short for a zip archive; the download or copy may have been cut off"));
  constexpr std::size_t longest_comment = 65535;
  const std::size_t first =
      bytes.size() > end_bytes + longest_comment ? bytes.size() - end_bytes - longest_comment : 0;
  int ends = 0;
  for (std::size_t at = first; at + end_bytes <= bytes.size(); ++at) {
    if (!marked(at, end_mark)) continue;
    // A comment may hold an end of its own by chance, many of them not.
    if (++ends > 16)
      throw Error(ErrorKind::corrupt, text(file, ": the archive has many ends; it is damaged"));
    too_many(number_at<std::uint16_t>(bytes, at + 10));
    if (at < locator64_bytes || !marked(at - locator64_bytes, locator_mark)) continue;
    const auto end64 = number_at<std::uint64_t>(bytes, at - locator64_bytes + 8);
    if (end64 > bytes.size() || bytes.size() - end64 < end64_bytes || !marked(end64, end64_mark)) continue;
    too_many(number_at<std::uint64_t>(bytes, end64 + 24));
    too_many(number_at<std::uint64_t>(bytes, end64 + 32));
  }
}

struct Entry {
  zip_uint64_t index = 0;
  std::uint64_t size = 0;
};

}  // namespace

struct ZipArchive::Content {
  std::string file;
  std::unique_ptr<zip_t, Close> archive;
  std::vector<std::string> names;
  std::unordered_map<std::string, Entry> entries;

  [[noreturn]] void fail(ErrorKind kind, const std::string& name, const std::string& what) const {
    throw Error(kind, text(file, ": entry ", shown(name), " ", what));
  }

  const Entry& find(const std::string& name) const {
    const auto found = entries.find(name);
    if (found == entries.end())
      throw Error(ErrorKind::not_found, text(file, ": the archive has no entry ", shown(name)));
    return found->second;
  }

  void check_entry(const std::string& name, const zip_stat_t& stat) const {
    constexpr zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat.valid & needed) != needed) fail(ErrorKind::corrupt, name, "has no size or checksum");
    if (stat.encryption_method != ZIP_EM_NONE) fail(ErrorKind::unsupported, name, "is encrypted");
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
      fail(ErrorKind::unsupported, name,
           text("is compressed by method ", stat.comp_method, "; stored and deflated entries are read"));
    if (stat.comp_method == ZIP_CM_STORE && stat.size != stat.comp_size)
      fail(ErrorKind::corrupt, name, "is stored, and yet its two sizes differ");
    if (stat.size / ratio_limit > stat.comp_size)
      fail(ErrorKind::corrupt, name,
           text("declares ", stat.size, " bytes made from ", stat.comp_size, ", which no compression does"));
  }
};

ZipArchive::ZipArchive(std::span<const std::uint8_t> bytes, std::string file)
    : content_(std::make_unique<Content>()) {
  check_ends(bytes, file);
  Content& content = *content_;
  content.file = std::move(file);
  ZipError error;
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error);
  if (!source) throw std::bad_alloc();
  content.archive.reset(zip_open_from_source(source, ZIP_RDONLY, &error.error));
  if (!content.archive) {
    zip_source_free(source);
    throw Error(ErrorKind::corrupt, text(content.file, ": cannot be opened as a zip archive (", error.what(),
                                         "); the download or copy may have been cut off"));
  }
  const zip_int64_t entries = zip_get_num_entries(content.archive.get(), 0);
  std::uint64_t left = bytes.size();
  for (zip_int64_t i = 0; i < entries; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t stat;
    zip_stat_init(&stat);
    const char* name = zip_get_name(content.archive.get(), index, ZIP_FL_ENC_RAW);
    if (!name || zip_stat_index(content.archive.get(), index, 0, &stat) != 0)
      throw Error(ErrorKind::corrupt, text(content.file, ": entry ", i, " of the archive cannot be read"));
    content.check_entry(name, stat);
    if (!content.entries.emplace(name, Entry{index, stat.size}).second)
      content.fail(ErrorKind::corrupt, name, "is there twice");
    // Entries that share their bytes are how a small archive claims to be a large one.
    if (stat.comp_size > left)
      content.fail(ErrorKind::corrupt, name, "and those before it take more bytes than the archive has");
    left -= stat.comp_size;
    content.names.emplace_back(name);
  }
}

ZipArchive::~ZipArchive() = default;
ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;
ZipArchive& ZipArchive::operator=(ZipArchive&&) noexcept = default;

const std::vector<std::string>& ZipArchive::names() const { return content_->names; }
bool ZipArchive::has(const std::string& name) const { return content_->entries.contains(name); }
std::uint64_t ZipArchive::size_of(const std::string& name) const { return content_->find(name).size; }

std::vector<std::uint8_t> ZipArchive::read(const std::string& name, std::uint64_t limit) const {
  const Entry& entry = content_->find(name);
  if (entry.size > limit)
    content_->fail(ErrorKind::unsupported, name,
                   text("has ", entry.size, " bytes, more than the ", limit, " that are read"));
  const auto damaged = [&](const std::string& why) {
    content_->fail(ErrorKind::corrupt, name, text("is damaged (", why, "); copy or download the file again"));
  };
  const std::unique_ptr<zip_file_t, Close> file(zip_fopen_index(content_->archive.get(), entry.index, 0));
  if (!file) damaged(zip_strerror(content_->archive.get()));
  const auto step = [&](std::uint8_t* to, std::uint64_t wanted) {
    const zip_int64_t got = zip_fread(file.get(), to, wanted);
    if (got < 0) damaged(zip_file_strerror(file.get()));
    return static_cast<std::uint64_t>(got);
  };
  // Memory grows with what comes: the size is a claim.
  std::vector<std::uint8_t> made;
  std::uint64_t done = 0;
  while (done < entry.size) {
    if (done == made.size()) made.resize(std::min<std::uint64_t>(entry.size, 2 * done + (1u << 20)));
    const std::uint64_t got = step(made.data() + done, made.size() - done);
    if (got == 0) damaged(text("ends after ", done, " of ", entry.size, " bytes"));
    done += got;
  }
  // libzip compares the checksum when it meets the end, so the end has to be read too.
  std::uint8_t beyond = 0;
  if (step(&beyond, 1) != 0) damaged("is longer than declared");
  return made;
}

}  // namespace enxerto
