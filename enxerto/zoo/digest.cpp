#include "enxerto/zoo/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

constexpr std::size_t sha256_digits = 64, md5_digits = 32, fewest_digits = 8;

class Hash {
 public:
  explicit Hash(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    ensure(context_ && kind && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1, "the digest exists");
  }
  void add(const void* data, std::size_t bytes) {
    ensure(EVP_DigestUpdate(context_.get(), data, bytes) == 1, "a digest takes bytes");
  }
  std::string digits() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int count = 0;
    ensure(EVP_DigestFinal_ex(context_.get(), raw.data(), &count) == 1, "a digest ends");
    std::string digits;
    for (unsigned int i = 0; i < count; ++i)
      for (const int nibble : {raw[i] >> 4, raw[i] & 15}) digits += "0123456789abcdef"[nibble];
    return digits;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

std::string checked_digits(std::string digits, const char* kind, std::size_t least, std::size_t most) {
  std::ranges::transform(digits, digits.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  if (digits.empty()) return digits;
  if (digits.size() < least || digits.size() > most ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw Error(ErrorKind::usage, text('"', digits, "\" is no ", kind, ": ", least,
                                       least == most ? "" : text(" to ", most), " hexadecimal digits"));
  return digits;
}

}  // namespace

Digests digest_file(const std::filesystem::path& path,
                    const std::function<bool(std::uint64_t, std::uint64_t)>& progress) {
  const auto fail = [&] {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::io;
    throw Error(kind, text(path.string(), ": cannot be read: ", std::strerror(errno)));
  };
  std::error_code code;
  if (std::filesystem::is_directory(path, code))
    throw Error(ErrorKind::io, text(path.string(), ": is a folder, a file was expected; move it away"));
  const std::uint64_t size = std::filesystem::file_size(path, code);
  const std::uint64_t total = code ? 0 : size;
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) fail();
  Hash sha256(EVP_sha256());
  // A machine in FIPS mode has no MD5; then there is nothing to compare with one.
  std::unique_ptr<Hash> md5;
  try {
    md5 = std::make_unique<Hash>(EVP_md5());
  } catch (const std::logic_error&) {
  }
  std::vector<unsigned char> piece(std::size_t{1} << 20);
  Digests digests;
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    sha256.add(piece.data(), got);
    if (md5) md5->add(piece.data(), got);
    digests.bytes += got;
    if (progress && !progress(digests.bytes, total))
      throw Error(ErrorKind::interrupted, text(path.string(), ": interrupted while its hash was computed"));
  }
  if (std::ferror(file.get())) fail();
  digests.sha256 = sha256.digits();
  if (md5) digests.md5 = md5->digits();
  return digests;
}

Published check_published(Published published) {
  return {checked_digits(std::move(published.sha256), "SHA-256", fewest_digits, sha256_digits),
          checked_digits(std::move(published.md5), "MD5", md5_digits, md5_digits)};
}

std::string find_difference(const Digests& digests, const Published& published) {
  if (!published.sha256.empty() && !digests.sha256.starts_with(published.sha256)) {
    const bool whole = published.sha256.size() == sha256_digits;
    return text("its SHA-256 ", whole ? "is " : "begins with ",
                digests.sha256.substr(0, published.sha256.size()), ", expected was ", published.sha256);
  }
  if (!published.md5.empty() && !digests.md5.empty() && digests.md5 != published.md5)
    return text("its MD5 is ", digests.md5, ", expected was ", published.md5);
  return "";
}

std::string format_published(const Published& published) {
  if (published.sha256.size() == sha256_digits) return "SHA-256 " + published.sha256;
  if (!published.sha256.empty()) return "SHA-256 that begins with " + published.sha256;
  if (!published.md5.empty()) return "MD5 " + published.md5;
  return "no published hash";
}

}  // namespace enxerto
