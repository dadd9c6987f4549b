#include "enxerto/weights/zip.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <cstring>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Part {
  std::string name, content;
  int method = ZIP_CM_STORE;
};

/// An archive as libzip writes it.
Bytes archive_of(const std::vector<Part>& parts) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t* archive = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const Part& part : parts) {
    zip_source_t* source = zip_source_buffer(archive, part.content.data(), part.content.size(), 0);
    const zip_int64_t index = zip_file_add(archive, part.name.c_str(), source, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), part.method, 9);
  }
  EXPECT_EQ(zip_close(archive), 0);
  zip_stat_t stat;
  zip_source_stat(target, &stat);
  Bytes made(stat.size);
  zip_source_open(target);
  EXPECT_EQ(zip_source_read(target, made.data(), made.size()), static_cast<zip_int64_t>(made.size()));
  zip_source_close(target);
  zip_source_free(target);
  return made;
}

std::string failure(const Bytes& bytes, ErrorKind wanted = ErrorKind::corrupt) {
  try {
    const ZipArchive archive(bytes, "some.zip");
    for (const std::string& name : archive.names()) archive.read(name, 1 << 20);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(wanted)) << error.what();
    EXPECT_NE(std::string(error.what()).find("some.zip"), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

const std::string long_text(30'000, 'x');

Bytes small_archive() {
  return archive_of({{"b", "stored"}, {"a/deflated", long_text, ZIP_CM_DEFLATE}, {"empty", ""}});
}

/// Where the directory's entry number `index` begins.
std::size_t directory_entry(const Bytes& bytes, int index) {
  for (std::size_t at = 0; at + 46 <= bytes.size(); ++at)
    if (std::memcmp(bytes.data() + at, "PK\1\2", 4) == 0 && index-- == 0) return at;
  ADD_FAILURE() << "no such entry";
  return 0;
}

template <class T>
void put(Bytes& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

TEST(Zip, StoredAndDeflatedEntriesAreReadInTheOrderOfTheDirectory) {
  const Bytes bytes = small_archive();
  ZipArchive moved(bytes, "some.zip");
  const ZipArchive archive = std::move(moved);
  EXPECT_EQ(archive.names(), (std::vector<std::string>{"b", "a/deflated", "empty"}));
  EXPECT_TRUE(archive.has("b"));
  EXPECT_FALSE(archive.has("B"));
  EXPECT_EQ(archive.size_of("a/deflated"), long_text.size());
  const Bytes stored = archive.read("b", 6), deflated = archive.read("a/deflated", 1 << 20);
  EXPECT_EQ(std::string(stored.begin(), stored.end()), "stored");
  EXPECT_EQ(std::string(deflated.begin(), deflated.end()), long_text);
  EXPECT_TRUE(archive.read("empty", 0).empty());
}

TEST(Zip, AnEntryBeyondTheLimitOrMissingIsNamed) {
  const Bytes bytes = small_archive();
  const ZipArchive archive(bytes, "some.zip");
  const auto said = [&](const std::string& name, ErrorKind wanted) -> std::string {
    try {
      archive.read(name, 5);
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(wanted));
      return error.what();
    }
    return {};
  };
  EXPECT_NE(said("b", ErrorKind::unsupported).find(R"("b" has 6 bytes, more than the 5)"), std::string::npos);
  EXPECT_NE(said("none", ErrorKind::not_found).find(R"("none")"), std::string::npos);
}

TEST(Zip, SizesThatNoCompressionReachesAreRefusedBeforeMemoryIsTaken) {
  Bytes bytes = small_archive();
  const std::size_t at = directory_entry(bytes, 1);
  put(bytes, at + 24, std::uint32_t{4'000'000'000u});
  EXPECT_NE(failure(bytes).find(R"("a/deflated" declares 4000000000 bytes)"), std::string::npos);
  bytes = small_archive();
  put(bytes, directory_entry(bytes, 0) + 24, std::uint32_t{4'000'000'000u});
  EXPECT_NE(failure(bytes).find("two sizes differ"), std::string::npos);
  bytes = small_archive();
  put(bytes, directory_entry(bytes, 0) + 24, std::uint32_t{4'000'000'000u});
  put(bytes, directory_entry(bytes, 0) + 20, std::uint32_t{4'000'000'000u});
  EXPECT_NE(failure(bytes).find("more bytes than the archive has"), std::string::npos);
}

TEST(Zip, WhatIsDamagedOrNotReadIsRefused) {
  const auto with = [](int entry, std::size_t field, std::uint16_t value) {
    Bytes bytes = small_archive();
    put(bytes, directory_entry(bytes, entry) + field, value);
    return bytes;
  };
  EXPECT_NE(failure(with(0, 8, 1), ErrorKind::unsupported).find(R"("b" is encrypted)"), std::string::npos);
  EXPECT_NE(failure(with(1, 10, 12), ErrorKind::unsupported).find("method 12"), std::string::npos);
  EXPECT_NE(failure(with(0, 16, 0xABCD)), "");                                // checksum
  EXPECT_NE(failure(with(1, 24, 29'999)).find("longer"), std::string::npos);  // one byte less than there is
  EXPECT_NE(failure(with(1, 24, 30'001)).find("damaged"), std::string::npos);
  Bytes bytes = archive_of({{"a", "1"}, {"b", "2"}});
  bytes[directory_entry(bytes, 1) + 46] = 'a';
  EXPECT_NE(failure(bytes).find(R"("a" is there twice)"), std::string::npos);
}

TEST(Zip, AbsurdNumbersOfEntriesAreRefusedBeforeMemoryIsTaken) {
  Bytes bytes = archive_of({{"a", "1"}});
  put(bytes, bytes.size() - 14, std::uint16_t{0xFFFF});
  put(bytes, bytes.size() - 12, std::uint16_t{0xFFFF});
  EXPECT_NE(failure(bytes).find("65535 entries"), std::string::npos);
  // The end of a 64-bit archive, its locator, and the short end.
  Bytes wide(56 + 20 + 22);
  std::memcpy(wide.data(), "PK\6\6", 4);
  put(wide, 4, std::uint64_t{44});
  put(wide, 24, std::uint64_t{1} << 40);
  put(wide, 32, std::uint64_t{1} << 40);
  put(wide, 40, std::uint64_t{0});
  std::memcpy(wide.data() + 56, "PK\6\7", 4);
  put(wide, 72, std::uint32_t{1});
  std::memcpy(wide.data() + 76, "PK\5\6", 4);
  for (const std::size_t at : {84, 86}) put(wide, at, std::uint16_t{0xFFFF});
  for (const std::size_t at : {88, 92}) put(wide, at, std::uint32_t{0xFFFFFFFF});
  EXPECT_NE(failure(wide), "");
}

TEST(Zip, ManyEndsAreNotTriedOneAfterTheOther) {
  std::string ends;
  for (int i = 0; i < 3000; ++i) ends += std::string("PK\5\6", 4) + std::string(18, '\0');
  const Bytes bytes(ends.begin(), ends.end());
  EXPECT_NE(failure(bytes).find("many ends"), std::string::npos);
}

TEST(Zip, AnArchiveCutAnywhereIsRefused) {
  const Bytes whole = small_archive();
  EXPECT_EQ(failure(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(failure(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
}

TEST(Zip, AnyFlippedBitThrowsAnErrorOrReads) {
  const Bytes whole = small_archive();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    try {
      const ZipArchive archive(bytes, "flipped");
      for (const std::string& name : archive.names()) EXPECT_LE(archive.read(name, 1 << 20).size(), 1u << 20);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace enxerto
