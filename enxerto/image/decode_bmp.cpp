// Written here because no library of the distributions reads BMP and little else;
// docs/decisions/0007-codecs.md.
#include <algorithm>
#include <array>
#include <bit>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"

namespace enxerto {
namespace {

[[noreturn]] void fail(std::string_view why) {
  throw Error(ErrorKind::corrupt, text("is a BMP picture that is damaged or cut short: ", why));
}

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::unsupported,
              text("is a BMP picture with ", what, ", which is not read; convert it to PNG"));
}

/// Whole numbers, low byte first, at any place of the file.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  std::uint32_t number(std::size_t at, std::size_t count) const {
    const auto from = part(at, count);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value |= std::uint32_t{from[i]} << (8 * i);
    return value;
  }
  std::span<const std::uint8_t> part(std::size_t at, std::size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) fail("the end is missing");
    return bytes_.subspan(at, count);
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

enum class Compression : std::uint32_t { none = 0, rle8 = 1, rle4 = 2, bitfields = 3, alpha_bitfields = 6 };

/// The bits of a pixel that make one channel.
struct Mask {
  int shift = 0;
  std::uint64_t largest = 0;  ///< 0: the picture has no such channel

  Mask() = default;
  explicit Mask(std::uint32_t bits) {
    if (bits == 0) return;
    shift = std::countr_zero(bits);
    largest = bits >> shift;
    if ((largest & (largest + 1)) != 0) refuse("a channel whose bits lie apart");
  }
  /// Rounded down, as Pillow has it.
  std::uint8_t of(std::uint32_t pixel) const {
    if (largest == 0) return 0;
    return static_cast<std::uint8_t>(((pixel >> shift) & largest) * 255 / largest);
  }
};

struct Header {
  std::size_t size = 0, pixels_at = 0;
  int width = 0, height = 0, bits = 0;
  bool top_down = false;
  Compression compression = Compression::none;
  std::array<Mask, 4> masks;  ///< red, green, blue, alpha; of pixels of 16, 24 and 32 bits
  std::vector<std::array<std::uint8_t, 3>> palette;
};

constexpr std::size_t file_header_bytes = 14, old_header_bytes = 12, info_header_bytes = 40;

void check_readable(const Header& header) {
  constexpr std::array known{1, 2, 4, 8, 16, 24, 32};
  if (std::find(known.begin(), known.end(), header.bits) == known.end())
    refuse(text(header.bits, " bits a pixel"));
  constexpr std::size_t os2_header_bytes = 64;  // has other meanings for the numbers from 3 on
  const bool is_os2 = header.size == os2_header_bytes;
  switch (header.compression) {
    case Compression::none:
      return;
    case Compression::rle8:
      if (header.bits != 8) fail("runs of 8 bits in a picture of other bits");
      return;
    case Compression::rle4:
      if (header.bits != 4) fail("runs of 4 bits in a picture of other bits");
      return;
    case Compression::bitfields:
    case Compression::alpha_bitfields:
      if (is_os2) break;
      if (header.bits != 16 && header.bits != 32) fail("channels of bits in a picture of neither 16 nor 32");
      return;
  }
  refuse(text("compression ", static_cast<std::uint32_t>(header.compression)));
}

void read_sides(const Bytes& bytes, Header& header) {
  constexpr std::size_t at = file_header_bytes + 4;
  std::int64_t width = 0, height = 0;
  if (header.size == old_header_bytes) {
    width = bytes.number(at, 2);
    height = bytes.number(at + 2, 2);
    header.bits = static_cast<int>(bytes.number(at + 6, 2));
  } else {
    width = static_cast<std::int32_t>(bytes.number(at, 4));
    height = static_cast<std::int32_t>(bytes.number(at + 4, 4));
    header.bits = static_cast<int>(bytes.number(at + 10, 2));
    header.compression = Compression{bytes.number(at + 12, 4)};
  }
  header.top_down = height < 0;
  height = header.top_down ? -height : height;
  check_readable(header);
  const bool runs = header.compression == Compression::rle8 || header.compression == Compression::rle4;
  check_pixels(
      width, height,
      runs ? pixels_possible(bytes.size()) : static_cast<std::int64_t>(bytes.size()) * 8 / header.bits);
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
}

/// Gives the number of bytes behind a header of 40 that hold the masks; larger headers hold them themselves.
std::size_t read_masks(const Bytes& bytes, Header& header) {
  if (header.bits == 16) header.masks = {Mask(0x7C00), Mask(0x03E0), Mask(0x001F), Mask()};
  if (header.bits >= 24) header.masks = {Mask(0xFF0000), Mask(0x00FF00), Mask(0x0000FF), Mask()};
  const bool has_alpha = header.compression == Compression::alpha_bitfields;
  if (header.compression != Compression::bitfields && !has_alpha) return 0;
  const std::size_t count = has_alpha || header.size >= info_header_bytes + 16 ? 4 : 3;
  for (std::size_t i = 0; i < count; ++i)
    header.masks[i] = Mask(bytes.number(file_header_bytes + info_header_bytes + 4 * i, 4));
  return header.size == info_header_bytes ? 4 * count : 0;
}

void read_palette(const Bytes& bytes, Header& header, std::size_t at) {
  const bool is_old = header.size == old_header_bytes;
  const std::size_t all = std::size_t{1} << header.bits, entry_bytes = is_old ? 3 : 4;
  const std::size_t said = is_old ? 0 : bytes.number(file_header_bytes + 32, 4);
  const std::size_t count = said == 0 ? all : std::min(said, all);
  const auto entries = bytes.part(at, count * entry_bytes);
  header.palette.resize(256);  // black for colours that it lacks
  for (std::size_t i = 0; i < count; ++i) {
    const auto* entry = entries.data() + i * entry_bytes;
    header.palette[i] = {entry[2], entry[1], entry[0]};
  }
}

Header read_header(const Bytes& bytes) {
  Header header;
  header.pixels_at = bytes.number(10, 4);
  header.size = bytes.number(file_header_bytes, 4);
  read_sides(bytes, header);
  std::size_t at = file_header_bytes + header.size + read_masks(bytes, header);
  if (header.bits <= 8) {
    read_palette(bytes, header, at);
    const bool is_old = header.size == old_header_bytes;
    at += (is_old ? 3 : 4) * (std::size_t{1} << header.bits);
  }
  if (header.pixels_at == 0) header.pixels_at = at;
  return header;
}

/// Indices of the palette, rows as they lie in the file; 0 where the runs leave a pixel out.
class Runs {
 public:
  Runs(const Bytes& bytes, const Header& header)
      : bytes_(bytes),
        header_(header),
        at_(header.pixels_at),
        indices_(static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.height)) {}

  std::vector<std::uint8_t> read() {
    while (y_ < header_.height) {
      const std::uint32_t count = next(), value = next();
      if (count > 0) {
        for (std::uint32_t i = 0; i < count; ++i) put(half(value, i));
      } else if (value == 0) {
        x_ = 0;
        ++y_;
      } else if (value == 1) {
        break;
      } else if (value == 2) {
        x_ += next();
        y_ += static_cast<int>(next());
      } else {
        copy(value);
      }
    }
    return std::move(indices_);
  }

 private:
  std::uint32_t next() { return bytes_.number(at_++, 1); }
  bool is_rle4() const { return header_.compression == Compression::rle4; }
  std::uint32_t half(std::uint32_t byte, std::uint32_t i) const {
    if (!is_rle4()) return byte;
    return i % 2 == 0 ? byte >> 4 : byte & 15;
  }
  /// What runs over the end of its row is left out.
  void put(std::uint32_t index) {
    if (x_ < header_.width)
      indices_[static_cast<std::size_t>(y_) * static_cast<std::size_t>(header_.width) +
               static_cast<std::size_t>(x_)] = static_cast<std::uint8_t>(index);
    ++x_;
  }
  /// Pixels one by one, filled up to an even number of bytes.
  void copy(std::uint32_t count) {
    const std::uint32_t length = is_rle4() ? (count + 1) / 2 : count;
    const auto from = bytes_.part(at_, length);
    for (std::uint32_t i = 0; i < count; ++i) put(half(from[is_rle4() ? i / 2 : i], i));
    at_ += length + length % 2;
  }

  const Bytes& bytes_;
  const Header& header_;
  std::size_t at_;
  std::vector<std::uint8_t> indices_;
  std::int64_t x_ = 0;
  int y_ = 0;
};

/// The row of the picture that lies at place `y` of the file.
int row_of(const Header& header, int y) { return header.top_down ? y : header.height - 1 - y; }

Image from_runs(const Bytes& bytes, const Header& header) {
  const auto indices = Runs(bytes, header).read();
  Image out(header.height, header.width, 3);
  auto from = indices.begin();
  for (int y = 0; y < header.height; ++y) {
    std::uint8_t* to = out.row(row_of(header, y));
    for (int x = 0; x < header.width; ++x, to += 3) std::copy_n(header.palette[*from++].begin(), 3, to);
  }
  return out;
}

void read_row(const Header& header, const std::uint8_t* from, std::uint8_t* to) {
  const int bits = header.bits, channels = header.masks[3].largest ? 4 : 3;
  for (int x = 0; x < header.width; ++x, to += channels) {
    if (bits <= 8) {
      const int in_byte = 8 / bits;
      const unsigned index =
          (unsigned{from[x / in_byte]} >> (8 - bits * (x % in_byte + 1))) & ((1u << bits) - 1);
      std::copy_n(header.palette[index].begin(), 3, to);
      continue;
    }
    std::uint32_t pixel = 0;
    for (int i = 0; i < bits / 8; ++i) pixel |= std::uint32_t{*from++} << (8 * i);
    for (int c = 0; c < channels; ++c) to[c] = header.masks[static_cast<std::size_t>(c)].of(pixel);
  }
}

Image from_rows(const Bytes& bytes, const Header& header) {
  // Rows end at multiples of four bytes, the last one may do without.
  const auto bits = static_cast<std::size_t>(header.width) * static_cast<std::size_t>(header.bits);
  const std::size_t used = (bits + 7) / 8, step = (bits + 31) / 32 * 4;
  const auto rows = bytes.part(header.pixels_at, step * static_cast<std::size_t>(header.height - 1) + used);
  const bool has_alpha = header.masks[3].largest != 0;
  Image out(header.height, header.width, has_alpha ? 4 : 3);
  for (int y = 0; y < header.height; ++y)
    read_row(header, rows.data() + step * static_cast<std::size_t>(y), out.row(row_of(header, y)));
  return has_alpha ? over_white(out) : out;
}

}  // namespace

Decoded decode_bmp(std::span<const std::uint8_t> given) {
  const Bytes bytes(given);
  const Header header = read_header(bytes);
  const bool runs = header.compression == Compression::rle8 || header.compression == Compression::rle4;
  return {runs ? from_runs(bytes, header) : from_rows(bytes, header), 1};
}

}  // namespace enxerto
