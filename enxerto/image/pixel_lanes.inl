// The loops over pixels in vectors of 128-bit lanes, for an instruction set whose `Lanes` the including file
// defines before. Nothing that is inline elsewhere is called here.
//
// A weight of 22 bits is split into weight = high * 4096 + low, so that two taps are one multiplication of
// 16-bit pairs that are added (pmaddwd); sums are taken modulo 2^32 and come out exact.

namespace enxerto::ENXERTO_ISA {
namespace {

constexpr int low_bits = 12;
constexpr int lanes = Lanes::count;

/// Memory that is not filled.
template <class Value>
struct Buffer {
  explicit Buffer(std::size_t count) : data(new Value[count]) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { delete[] data; }
  Value* data;
};

std::int32_t pair(std::int32_t first, std::int32_t second) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(first) & 0xFFFFu) |
                                   static_cast<std::uint32_t>(second) << 16);
}
std::int32_t high_pair(std::int32_t first, std::int32_t second) {
  return pair(first >> low_bits, second >> low_bits);
}
std::int32_t low_pair(std::int32_t first, std::int32_t second) {
  constexpr std::int32_t mask = (1 << low_bits) - 1;
  return pair(first & mask, second & mask);
}

/// The sums of high and low parts as rounded pixels in 32 bits, not yet cut to 0..255.
Lanes rounded(Lanes high, Lanes low) {
  const Lanes half = Lanes::all32(1 << (weight_bits - 1));
  return Lanes::shift_right<weight_bits>(
      Lanes::add(Lanes::add(Lanes::shift_left<low_bits>(high), low), half));
}

/// For every four taps: high parts of the first two and the last two, then their low parts.
struct Quads {
  explicit Quads(const TapsView& taps)
      : stride(taps.stride), pairs(static_cast<std::size_t>(taps.size) * taps.stride) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(taps.size) * taps.stride; i += 4) {
      const std::int32_t* w = taps.weights + i;
      pairs.data[i] = high_pair(w[0], w[1]);
      pairs.data[i + 1] = high_pair(w[2], w[3]);
      pairs.data[i + 2] = low_pair(w[0], w[1]);
      pairs.data[i + 3] = low_pair(w[2], w[3]);
    }
  }
  std::size_t stride;
  Buffer<std::int32_t> pairs;
};

/// One output position of each lane: its row's pixels, `step` bytes each, times the weights.
template <int step>
Lanes position(const std::uint8_t* const* rows, Taps::Run run, const std::int32_t* quads) {
  const Lanes first_two = step == 3 ? Lanes::bytes(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1)
                                    : Lanes::bytes(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1);
  const Lanes last_two = step == 3
                             ? Lanes::bytes(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1)
                             : Lanes::bytes(8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
  Lanes high = Lanes::zero(), low = Lanes::zero();
  std::size_t at = static_cast<std::size_t>(run.first) * step;
  for (int k = 0; k < run.count; k += 4, quads += 4, at += 4 * step) {
    const Lanes pixels = Lanes::load_rows(rows, at);
    const Lanes a = Lanes::shuffle(pixels, first_two), b = Lanes::shuffle(pixels, last_two);
    high = Lanes::add(high, Lanes::add(Lanes::multiply_pairs(a, Lanes::all32(quads[0])),
                                       Lanes::multiply_pairs(b, Lanes::all32(quads[1]))));
    low = Lanes::add(low, Lanes::add(Lanes::multiply_pairs(a, Lanes::all32(quads[2])),
                                     Lanes::multiply_pairs(b, Lanes::all32(quads[3]))));
  }
  return rounded(high, low);
}

/// One row of `step`-byte pixels in each lane. `write(x, count, packed)` is given up to four positions, 16
/// bytes a lane.
template <int step, class Write>
void across_lanes(const std::uint8_t* const* rows, const TapsView& taps, const Quads& quads,
                  const Write& write) {
  for (int x = 0; x < taps.size; x += 4) {
    const auto at = [&](int i) {
      const int index = x + i < taps.size ? x + i : taps.size - 1;
      return position<step>(rows, taps.runs[index],
                            quads.pairs.data + static_cast<std::size_t>(index) * quads.stride);
    };
    const Lanes first = Lanes::pack32(at(0), at(1));
    const Lanes packed = Lanes::pack16(first, Lanes::pack32(at(2), at(3)));
    write(x, taps.size - x < 4 ? taps.size - x : 4, packed);
  }
}

/// Bytes that a row's loads may go beyond its last pixel.
constexpr std::size_t overrun = 16;

int end_of(const TapsView& taps) {
  int end = 0;
  for (int x = 0; x < taps.size; ++x) {
    const int last = taps.runs[x].first + taps.runs[x].count;
    if (last > end) end = last;
  }
  return end;
}

void across_colour(const Rows& from, int count, const TapsView& taps, const Quads& quads, std::uint8_t* to) {
  const auto width = static_cast<std::size_t>(taps.size) * 3;
  const std::size_t row_bytes = static_cast<std::size_t>(end_of(taps)) * 3;
  Buffer<std::uint8_t> padded((row_bytes + overrun) * lanes);
  std::memset(padded.data, 0, (row_bytes + overrun) * lanes);
  const Lanes dense = Lanes::bytes(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  for (int y = 0; y < count; y += lanes) {
    const int valid = count - y < lanes ? count - y : lanes;
    const std::uint8_t* rows[lanes];
    for (int lane = 0; lane < lanes; ++lane) {
      const int row = y + (lane < valid ? lane : valid - 1);
      rows[lane] = from.data + static_cast<std::size_t>(row) * from.stride;
      if (row_bytes + overrun <= static_cast<std::size_t>(from.end - rows[lane])) continue;
      std::uint8_t* copy = padded.data + static_cast<std::size_t>(lane) * (row_bytes + overrun);
      std::memcpy(copy, rows[lane], row_bytes);
      rows[lane] = copy;
    }
    std::uint8_t* out = to + static_cast<std::size_t>(y) * width;
    across_lanes<3>(rows, taps, quads, [&](int x, int pixels, Lanes packed) {
      std::uint8_t bytes[16 * lanes];
      Lanes::store(bytes, Lanes::shuffle(packed, dense));
      // All 16 bytes where the row goes on behind them: a later write has the last word.
      const std::size_t at = static_cast<std::size_t>(x) * 3;
      for (int lane = 0; lane < valid; ++lane) {
        std::uint8_t* place = out + static_cast<std::size_t>(lane) * width + at;
        if (at + 16 <= width)
          std::memcpy(place, bytes + 16 * lane, 16);
        else
          std::memcpy(place, bytes + 16 * lane, static_cast<std::size_t>(pixels) * 3);
      }
    });
  }
}

/// Four grey rows a lane, side by side like the channels of a picture with four.
void across_grey(const Rows& from, int count, const TapsView& taps, const Quads& quads, std::uint8_t* to) {
  constexpr int group = 4 * lanes;
  const auto width = static_cast<std::size_t>(taps.size);
  const auto row_bytes = static_cast<std::size_t>(end_of(taps));
  const std::size_t mixed_bytes = 4 * row_bytes + overrun;
  Buffer<std::uint8_t> mixed(mixed_bytes * lanes);
  std::memset(mixed.data, 0, mixed_bytes * lanes);
  const std::uint8_t* rows[lanes];
  for (int lane = 0; lane < lanes; ++lane)
    rows[lane] = mixed.data + static_cast<std::size_t>(lane) * mixed_bytes;
  const Lanes by_row = Lanes::bytes(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int y = 0; y < count; y += group) {
    const int valid = count - y < group ? count - y : group;
    for (int lane = 0; lane < lanes; ++lane) {
      const std::uint8_t* four[4];
      for (int i = 0; i < 4; ++i) {
        const int row = y + (4 * lane + i < valid ? 4 * lane + i : valid - 1);
        four[i] = from.data + static_cast<std::size_t>(row) * from.stride;
      }
      std::uint8_t* mix = mixed.data + static_cast<std::size_t>(lane) * mixed_bytes;
      for (std::size_t i = 0; i < row_bytes; ++i)
        for (std::size_t r = 0; r < 4; ++r) mix[4 * i + r] = four[r][i];
    }
    std::uint8_t* out = to + static_cast<std::size_t>(y) * width;
    across_lanes<4>(rows, taps, quads, [&](int x, int pixels, Lanes packed) {
      std::uint8_t bytes[16 * lanes];
      Lanes::store(bytes, Lanes::shuffle(packed, by_row));
      for (int row = 0; row < valid; ++row) {
        std::uint8_t* place = out + static_cast<std::size_t>(row) * width + static_cast<std::size_t>(x);
        if (pixels == 4)
          std::memcpy(place, bytes + 4 * row, 4);
        else
          std::memcpy(place, bytes + 4 * row, static_cast<std::size_t>(pixels));
      }
    });
  }
}

void across(const Rows& from, int count, int channels, const TapsView& taps, std::uint8_t* to) {
  const Quads quads(taps);
  if (channels == 3)
    across_colour(from, count, taps, quads, to);
  else
    across_grey(from, count, taps, quads, to);
}

/// `pairs`: high and low parts of two weights; rows two for each. Bytes [at, at + vector) of one output row.
void down_vector(const std::uint8_t* const* rows, const std::int32_t* pairs, int count, std::size_t at,
                 std::uint8_t* to) {
  Lanes high[4], low[4];
  for (int i = 0; i < 4; ++i) high[i] = low[i] = Lanes::zero();
  for (int k = 0; k < count; ++k) {
    const Lanes a = Lanes::load(rows[2 * k] + at), b = Lanes::load(rows[2 * k + 1] + at);
    const Lanes left = Lanes::mix_low8(a, b), right = Lanes::mix_high8(a, b);
    const Lanes four[4] = {Lanes::mix_low8(left, Lanes::zero()), Lanes::mix_high8(left, Lanes::zero()),
                           Lanes::mix_low8(right, Lanes::zero()), Lanes::mix_high8(right, Lanes::zero())};
    const Lanes w_high = Lanes::all32(pairs[2 * k]), w_low = Lanes::all32(pairs[2 * k + 1]);
    for (int i = 0; i < 4; ++i) {
      high[i] = Lanes::add(high[i], Lanes::multiply_pairs(four[i], w_high));
      low[i] = Lanes::add(low[i], Lanes::multiply_pairs(four[i], w_low));
    }
  }
  Lanes::store(to + at, Lanes::pack16(Lanes::pack32(rounded(high[0], low[0]), rounded(high[1], low[1])),
                                      Lanes::pack32(rounded(high[2], low[2]), rounded(high[3], low[3]))));
}

void down(const Rows& from, std::size_t bytes, const TapsView& taps, std::uint8_t* to) {
  constexpr std::size_t vector = 16 * lanes;
  Buffer<const std::uint8_t*> rows(taps.stride);
  Buffer<std::int32_t> pairs(taps.stride);
  // A row narrower than a vector is computed on copies.
  const bool narrow = bytes < vector;
  Buffer<std::uint8_t> copies(narrow ? taps.stride * vector : 0);
  std::uint8_t out[vector];
  for (int y = 0; y < taps.size; ++y, to += bytes) {
    const Taps::Run run = taps.runs[y];
    const std::int32_t* weights = taps.weights + static_cast<std::size_t>(y) * taps.stride;
    const int count = (run.count + 1) / 2;
    for (int k = 0; k < 2 * count; ++k) {
      const int row = run.first + (k < run.count ? k : run.count - 1);
      rows.data[k] = from.data + static_cast<std::size_t>(row) * from.stride;
      if (k % 2 == 1) {
        pairs.data[k - 1] = high_pair(weights[k - 1], weights[k]);
        pairs.data[k] = low_pair(weights[k - 1], weights[k]);
      }
      if (!narrow) continue;
      std::uint8_t* copy = copies.data + static_cast<std::size_t>(k) * vector;
      std::memset(copy, 0, vector);
      std::memcpy(copy, rows.data[k], bytes);
      rows.data[k] = copy;
    }
    if (narrow) {
      down_vector(rows.data, pairs.data, count, 0, out);
      std::memcpy(to, out, bytes);
      continue;
    }
    std::size_t at = 0;
    for (; at + vector <= bytes; at += vector) down_vector(rows.data, pairs.data, count, at, to);
    if (at < bytes) down_vector(rows.data, pairs.data, count, bytes - vector, to);
  }
}

/// Sixteen pixels' values of one channel as floats.
void write_plane(Lanes16 channel, const PixelTable& table, float* to) {
  Lanes::store_affine(channel, table.factor, table.offset, to);
}

void planes(const std::uint8_t* pixels, std::size_t count, int channels, const int* source,
            const PixelTable* table, float* to) {
  bool is_affine = true;
  for (int c = 0; c < channels; ++c) is_affine = is_affine && table[c].is_affine;
  std::size_t i = 0;
  if (is_affine) {
    for (; i + 16 <= count; i += 16) {
      if (channels == 3) {
        const Lanes16 split[3] = {channel_of(pixels + 3 * i, 0), channel_of(pixels + 3 * i, 1),
                                  channel_of(pixels + 3 * i, 2)};
        for (int c = 0; c < 3; ++c)
          write_plane(split[source[c]], table[c], to + static_cast<std::size_t>(c) * count + i);
      } else {
        write_plane(load16(pixels + i), table[0], to + i);
      }
    }
  }
  for (int c = 0; c < channels; ++c)
    for (std::size_t k = i; k < count; ++k)
      to[static_cast<std::size_t>(c) * count + k] =
          table[c]
              .value[pixels[k * static_cast<std::size_t>(channels) + static_cast<std::size_t>(source[c])]];
}

}  // namespace

const PixelLoops& pixel_table();
const PixelLoops& pixel_table() {
  static constexpr PixelLoops table{ENXERTO_ISA_NAME, across, down, planes};
  return table;
}

}  // namespace enxerto::ENXERTO_ISA
