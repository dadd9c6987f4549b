// ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), 23008-2 (HEVC, 7.3.2.2), and the AV1 specification (5.5).
#include "enxerto/image/coded_sizes.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "enxerto/core/error.h"

namespace enxerto {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Check = std::function<void(std::int64_t, std::int64_t)>;

/// Takes numbers off the front. What lies behind the end reads as zeros, as the decoders have it.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t bits(int count) {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      const bool is_set = at_ / 8 < bytes_.size() && (bytes_[at_ / 8] >> (7 - at_ % 8) & 1);
      value = value << 1 | static_cast<std::uint64_t>(is_set);
    }
    return value;
  }
  std::uint64_t bytes(std::uint64_t count) { return bits(static_cast<int>(8 * count)); }
  void skip(std::uint64_t count) { at_ += count; }
  /// Exp-Golomb: as many zeros as bits follow the one.
  std::uint64_t golomb() {
    int zeros = 0;
    while (zeros < 32 && bits(1) == 0) ++zeros;
    return (std::uint64_t{1} << zeros) - 1 + bits(zeros);
  }
  bool is_at_end() const { return at_ / 8 >= bytes_.size(); }
  Bytes rest() const { return bytes_.subspan(std::min<std::size_t>(at_ / 8, bytes_.size())); }
  /// The next `count` bytes, or as many as there are.
  Bytes part(std::uint64_t count) {
    const Bytes all = rest(), taken = all.first(std::min<std::size_t>(count, all.size()));
    at_ += 8 * taken.size();
    return taken;
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;  ///< in bits
};

// ---- HEVC

void check_hevc_header(Bytes unit, const Check& check) {
  std::vector<std::uint8_t> plain;  // without the bytes that keep start codes from turning up
  for (std::size_t i = 2; i < unit.size() && plain.size() < 4096; ++i) {
    const bool is_guard = unit[i] == 3 && i >= 4 && unit[i - 1] == 0 && unit[i - 2] == 0;
    if (!is_guard) plain.push_back(unit[i]);
  }
  Reader reader(plain);
  reader.skip(4);
  const std::uint64_t layers = reader.bits(3);  // besides the first
  constexpr int profile_bits = 88, level_bits = 8;
  reader.skip(1 + profile_bits + level_bits);
  std::vector<std::uint64_t> flags;
  for (std::uint64_t i = 0; i < layers; ++i) flags.push_back(reader.bits(2));
  if (layers > 0) reader.skip(2 * (8 - layers));
  for (const std::uint64_t has : flags)
    reader.skip((has & 2 ? profile_bits : 0) + (has & 1 ? level_bits : 0));
  reader.golomb();
  if (reader.golomb() == 3) reader.skip(1);
  const std::uint64_t width = reader.golomb(), height = reader.golomb();
  check(static_cast<std::int64_t>(width), static_cast<std::int64_t>(height));
}

void check_hevc_unit(Bytes unit, const Check& check) {
  constexpr int sequence = 33;
  if (!unit.empty() && (unit[0] >> 1 & 63) == sequence) check_hevc_header(unit, check);
}

/// Units, each behind its length in four bytes.
void check_hevc_units(Bytes data, const Check& check) {
  Reader reader(data);
  while (reader.rest().size() > 4) {
    const std::uint64_t length = reader.bytes(4);
    if (length > reader.rest().size()) return;
    check_hevc_unit(reader.part(length), check);
  }
}

void check_hevc_box(Bytes box, const Check& check) {
  Reader reader(box);
  reader.part(22);
  const std::uint64_t arrays = reader.bytes(1);
  for (std::uint64_t i = 0; i < arrays; ++i) {
    reader.part(1);
    const std::uint64_t count = reader.bytes(2);
    for (std::uint64_t k = 0; k < count && !reader.is_at_end(); ++k)
      check_hevc_unit(reader.part(reader.bytes(2)), check);
  }
}

// ---- AV1

void check_av1_header(Bytes unit, const Check& check) {
  Reader reader(unit);
  reader.skip(4);
  if (reader.bits(1)) {  // a still picture's short header
    reader.skip(5);
  } else {
    bool has_model = false;
    std::uint64_t delay_bits = 0;
    if (reader.bits(1)) {  // timing
      reader.skip(64);
      if (reader.bits(1)) reader.golomb();
      has_model = reader.bits(1);
      if (has_model) {
        delay_bits = reader.bits(5) + 1;
        reader.skip(32 + 5 + 5);
      }
    }
    const bool has_display_delay = reader.bits(1);
    const std::uint64_t points = reader.bits(5) + 1;
    for (std::uint64_t i = 0; i < points; ++i) {
      reader.skip(12);
      if (reader.bits(5) > 7) reader.skip(1);
      if (has_model && reader.bits(1)) reader.skip(2 * delay_bits + 1);
      if (has_display_delay && reader.bits(1)) reader.skip(4);
    }
  }
  const int width_bits = static_cast<int>(reader.bits(4)) + 1,
            height_bits = static_cast<int>(reader.bits(4)) + 1;
  const std::uint64_t width = reader.bits(width_bits) + 1, height = reader.bits(height_bits) + 1;
  check(static_cast<std::int64_t>(width), static_cast<std::int64_t>(height));
}

void check_av1_units(Bytes data, const Check& check) {
  Reader reader(data);
  while (!reader.is_at_end()) {
    reader.skip(1);
    const std::uint64_t type = reader.bits(4);
    const bool has_extension = reader.bits(1), has_size = reader.bits(1);
    reader.skip(has_extension ? 9 : 1);
    std::uint64_t size = has_size ? 0 : reader.rest().size();
    for (int shift = 0; has_size && shift < 56; shift += 7) {
      const std::uint64_t byte = reader.bytes(1);
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    constexpr std::uint64_t sequence = 1;
    const Bytes unit = reader.part(size);
    if (type == sequence) check_av1_header(unit, check);
  }
}

// ---- Boxes

class File {
 public:
  File(Bytes file, const Check& check) : file_(file), check_(check) {}

  void walk(Bytes boxes, int depth) {
    Reader reader(boxes);
    while (reader.rest().size() >= 8) {
      const std::size_t whole = reader.rest().size();
      std::uint64_t size = reader.bytes(4), header = 8;
      const Bytes type = reader.part(4);
      if (size == 1) {
        size = reader.bytes(8);
        header = 16;
      }
      if (size == 0) size = whole;
      if (size < header || size > whole) return;  // libheif says what is wrong with it
      visit({reinterpret_cast<const char*>(type.data()), type.size()}, reader.part(size - header), depth);
    }
  }
  /// After the walk, for the data may stand before or behind what tells its place.
  void check_items() {
    for (const Bytes box : places_) read_places(box);
  }

 private:
  void visit(std::string_view type, Bytes content, int depth) {
    if (depth > 3) return;
    if (type == "meta" && content.size() >= 4) walk(content.subspan(4), depth + 1);
    if (type == "iprp" || type == "ipco") walk(content, depth + 1);
    if (type == "hvcC") check_hevc_box(content, check_);
    if (type == "av1C" && content.size() >= 4) check_av1_units(content.subspan(4), check_);
    if (type == "idat") inside_.push_back(content);
    if (type == "iloc") places_.push_back(content);
  }

  void read_places(Bytes box) {
    Reader reader(box);
    const std::uint64_t version = reader.bytes(1);
    reader.part(3);
    const std::uint64_t offset_bytes = reader.bits(4), length_bytes = reader.bits(4),
                        base_bytes = reader.bits(4);
    const std::uint64_t index_bytes = reader.bits(4);
    const std::uint64_t count = reader.bytes(version < 2 ? 2 : 4);
    for (std::uint64_t i = 0; i < count && !reader.is_at_end(); ++i) {
      reader.part(version < 2 ? 2 : 4);
      const std::uint64_t method = version > 0 ? reader.bytes(2) & 15 : 0;
      reader.part(2);
      const std::uint64_t base = reader.bytes(base_bytes), extents = reader.bytes(2);
      std::vector<std::uint8_t> data;
      for (std::uint64_t k = 0; k < extents && !reader.is_at_end(); ++k) {
        if (version > 0) reader.part(index_bytes);
        const std::uint64_t offset = base + reader.bytes(offset_bytes), length = reader.bytes(length_bytes);
        if (method == 1) {
          for (const Bytes inside : inside_) append(data, inside, offset, length);
        } else {
          append(data, file_, offset, length);
        }
      }
      check_hevc_units(data, check_);
      check_av1_units(data, check_);
    }
  }

  void append(std::vector<std::uint8_t>& data, Bytes from, std::uint64_t offset, std::uint64_t length) {
    // Extents of no bytes at all cost time too.
    if (++extents_ > file_.size() + 4096)
      throw Error(ErrorKind::corrupt, "is damaged: its items have more parts than it has bytes");
    if (offset > from.size()) return;
    const Bytes part = from.subspan(static_cast<std::size_t>(offset));
    const Bytes taken = part.first(std::min<std::size_t>(length == 0 ? part.size() : length, part.size()));
    taken_bytes_ += taken.size();
    // Items share their bytes in no file but one that wants to keep us busy.
    if (taken_bytes_ > 4 * file_.size() + 4096)
      throw Error(ErrorKind::corrupt, "is damaged: its items lie over each other");
    data.insert(data.end(), taken.begin(), taken.end());
  }

  Bytes file_;
  const Check& check_;
  std::vector<Bytes> inside_, places_;
  std::size_t taken_bytes_ = 0, extents_ = 0;
};

}  // namespace

void check_coded_sizes(Bytes file, const Check& check) {
  File walker(file, check);
  walker.walk(file, 0);
  walker.check_items();
}

}  // namespace enxerto
