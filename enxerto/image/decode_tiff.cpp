#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/tiff_file.h"

namespace enxerto {
namespace {

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::unsupported,
              text("is a TIFF picture with ", what, ", which is not read; convert it to PNG"));
}

/// A row or tile of more is refused, whatever the picture's size.
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;

enum class Alpha { none, plain, multiplied };

/// How the first page is stored, as far as it matters here.
struct Page {
  int width = 0, height = 0;
  int bits = 1, samples = 1;  ///< bits of a sample, samples of a pixel
  int compression = COMPRESSION_NONE, photometric = 0;
  bool separate = false;  ///< a plane for each sample
  int colours = 1;        ///< samples that are no alpha and no extra
  Alpha alpha = Alpha::none;
  std::vector<std::array<std::uint8_t, 3>> palette;

  /// Channels of the picture before ink and alpha are worked in.
  int channels() const { return (palette.empty() ? colours : 3) + (alpha == Alpha::none ? 0 : 1); }
};

int colours_of(const TiffFile& file, const Page& page) {
  switch (page.photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
      return 1;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
      return 3;
    case PHOTOMETRIC_SEPARATED:
      if (file.tag<std::uint16_t>(TIFFTAG_INKSET, INKSET_CMYK) != INKSET_CMYK) refuse("inks other than CMYK");
      return 4;
    default:
      refuse(text("colours of kind ", page.photometric));
  }
}

Alpha alpha_of(const TiffFile& file, const Page& page) {
  std::uint16_t count = 0;
  std::uint16_t* kinds = nullptr;
  if (page.samples <= page.colours || page.colours == 4) return Alpha::none;
  // Of a palette only the plane with the colours' numbers is read.
  if (page.photometric == PHOTOMETRIC_PALETTE && page.separate) return Alpha::none;
  if (!TIFFGetFieldDefaulted(file.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds) || count == 0)
    return Alpha::none;
  if (kinds[0] == EXTRASAMPLE_ASSOCALPHA) return Alpha::multiplied;
  return kinds[0] == EXTRASAMPLE_UNASSALPHA ? Alpha::plain : Alpha::none;
}

/// Values of 16 bits, of which writers fill the upper eight, or all; careless ones the lower eight.
void read_palette(const TiffFile& file, Page& page) {
  std::array<std::uint16_t*, 3> maps{};
  if (page.bits > 8) refuse("a palette of more than 256 colours");
  if (!TIFFGetField(file.get(), TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]))
    file.fail("the palette is missing");
  const std::size_t count = std::size_t{1} << page.bits;
  const bool is_low = std::all_of(maps.begin(), maps.end(), [&](const std::uint16_t* map) {
    return std::all_of(map, map + count, [](std::uint16_t value) { return value < 256; });
  });
  page.palette.resize(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      page.palette[i][c] = static_cast<std::uint8_t>(is_low ? maps[c][i] : maps[c][i] >> 8);
}

void check_readable(const TiffFile& file, const Page& page) {
  if (page.compression == COMPRESSION_OJPEG) refuse("JPEG compression of the old kind (6)");
  if (!TIFFIsCODECConfigured(static_cast<std::uint16_t>(page.compression)))
    refuse(text("compression ", page.compression));
  const auto format = file.tag<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  if (format == SAMPLEFORMAT_IEEEFP) refuse("floating-point samples (nothing says which value is white)");
  if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
    refuse("samples that are no natural numbers");
  if (page.bits < 1 || page.bits > 16) refuse(text(page.bits, " bits a sample"));
  if (page.compression == COMPRESSION_JPEG && page.bits != 8) refuse(text("JPEG of ", page.bits, " bits"));
  if (page.samples < page.colours) file.fail("it has fewer samples a pixel than colours");
}

Page read_page(const TiffFile& file) {
  Page page;
  const auto width = file.tag<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  const auto height = file.tag<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  page.bits = file.tag<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  page.samples = file.tag<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  page.compression = file.tag<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  page.separate = file.tag<std::uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  std::uint16_t photometric = 0;
  if (!TIFFGetField(file.get(), TIFFTAG_PHOTOMETRIC, &photometric))
    file.fail("it does not say what its colours are");
  page.photometric = photometric;
  page.colours = colours_of(file, page);
  check_readable(file, page);
  const auto stored_bytes = static_cast<std::int64_t>(file.bytes.size());
  const std::int64_t bits = std::int64_t{page.bits} * page.samples;
  // What is not compressed may be subsampled: half a sample of each colour a pixel, at the least.
  check_pixels(width, height,
               page.compression == COMPRESSION_NONE ? 16 * stored_bytes / bits + 8
                                                    : 8 * pixels_possible(file.bytes.size()) / bits);
  page.width = static_cast<int>(width);
  page.height = static_cast<int>(height);
  page.alpha = alpha_of(file, page);
  if (page.photometric == PHOTOMETRIC_PALETTE) read_palette(file, page);
  return page;
}

/// Sample `index` of a row, scaled to 8 bits; of palettes as it is.
std::uint8_t sample_at(const Page& page, const std::uint8_t* row, std::size_t index) {
  if (page.bits == 8) return row[index];
  if (page.bits == 16) {
    std::uint16_t value = 0;
    std::memcpy(&value, row + 2 * index, 2);
    return eight_bits(value);
  }
  const auto bits = static_cast<std::size_t>(page.bits);
  unsigned value = 0;
  for (std::size_t at = index * bits; at < (index + 1) * bits; ++at)
    value = value << 1 | (row[at / 8] >> (7 - at % 8) & 1);
  if (!page.palette.empty()) return static_cast<std::uint8_t>(value);
  const unsigned largest = (1u << bits) - 1;
  return static_cast<std::uint8_t>((value * 255 + largest / 2) / largest);
}

/// Puts `count` pixels from the start of a stored row to place x, y. `plane`: the one that the row is of.
void put_row(const Page& page, const std::uint8_t* row, int plane, int x, int y, int count, Image& out) {
  const int channels = out.channels;
  std::uint8_t* to = out.row(y) + std::ptrdiff_t{x} * channels;
  for (int i = 0; i < count; ++i, to += channels) {
    const auto pixel = static_cast<std::size_t>(i);
    if (!page.palette.empty()) {
      const auto step = static_cast<std::size_t>(page.separate ? 1 : page.samples);
      std::copy_n(page.palette[sample_at(page, row, pixel * step)].begin(), 3, to);
      const unsigned largest = (1u << page.bits) - 1;
      if (channels == 4)
        to[3] = static_cast<std::uint8_t>((sample_at(page, row, pixel * step + 1) * 255u + largest / 2) /
                                          largest);
    } else if (page.separate) {
      to[plane] = sample_at(page, row, pixel);
    } else {
      for (int c = 0; c < channels; ++c)
        to[c] = sample_at(page, row,
                          pixel * static_cast<std::size_t>(page.samples) + static_cast<std::size_t>(c));
    }
  }
}

/// Bytes of a row of `width` pixels, in one plane where they are separate.
std::uint64_t row_bytes(const Page& page, std::uint64_t width) {
  const auto samples = static_cast<std::uint64_t>(page.separate ? 1 : page.samples);
  return (width * samples * static_cast<std::uint64_t>(page.bits) + 7) / 8;
}

int planes_of(const Page& page) {
  if (!page.separate || !page.palette.empty()) return 1;
  return page.channels();
}

void read_strips(const TiffFile& file, const Page& page, Image& out) {
  const std::uint64_t stored = TIFFScanlineSize64(file.get());
  if (stored < row_bytes(page, static_cast<std::uint64_t>(page.width))) file.fail("its rows are too short");
  if (stored > most_bytes) refuse("rows of more than 256 MiB");
  std::vector<std::uint8_t> row(stored);
  for (int plane = 0; plane < planes_of(page); ++plane)
    for (int y = 0; y < page.height; ++y) {
      file.check(TIFFReadScanline(file.get(), row.data(), static_cast<std::uint32_t>(y),
                                  static_cast<std::uint16_t>(plane)) == 1);
      put_row(page, row.data(), plane, 0, y, page.width, out);
    }
}

void read_tiles(const TiffFile& file, const Page& page, Image& out) {
  const auto tile_width = file.tag<std::uint32_t>(TIFFTAG_TILEWIDTH, 0);
  const auto tile_height = file.tag<std::uint32_t>(TIFFTAG_TILELENGTH, 0);
  if (tile_width == 0 || tile_height == 0) file.fail("its tiles have no pixels");
  if (tile_width > max_side || tile_height > max_side) refuse("tiles of more pixels than may be");
  const std::uint64_t step = row_bytes(page, tile_width), stored = TIFFTileSize64(file.get());
  if (stored > most_bytes) refuse("tiles of more than 256 MiB");
  if (stored < step * tile_height) file.fail("its tiles are too small");
  std::vector<std::uint8_t> tile(stored);
  const int step_x = static_cast<int>(tile_width), step_y = static_cast<int>(tile_height);
  for (int plane = 0; plane < planes_of(page); ++plane)
    for (int top = 0; top < page.height; top += step_y)
      for (int left = 0; left < page.width; left += step_x) {
        const std::uint32_t index =
            TIFFComputeTile(file.get(), static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(top), 0,
                            static_cast<std::uint16_t>(plane));
        const tmsize_t size = static_cast<tmsize_t>(stored);
        file.check(TIFFReadEncodedTile(file.get(), index, tile.data(), size) == size);
        const int rows = std::min(step_y, page.height - top), columns = std::min(step_x, page.width - left);
        for (int y = 0; y < rows; ++y)
          put_row(page, tile.data() + static_cast<std::uint64_t>(y) * step, plane, left, top + y, columns,
                  out);
      }
}

struct RgbaReader {
  TIFFRGBAImage state{};
  bool has_begun = false;
  explicit RgbaReader(TIFF* tiff) {
    std::array<char, 1024> why{};
    has_begun = TIFFRGBAImageBegin(&state, tiff, 1, why.data()) == 1;
  }
  RgbaReader(const RgbaReader&) = delete;
  RgbaReader& operator=(const RgbaReader&) = delete;
  ~RgbaReader() {
    if (has_begun) TIFFRGBAImageEnd(&state);
  }
};

/// YCbCr that is not JPEG's: libtiff knows how its samples are packed.
Image read_ycbcr(const TiffFile& file, const Page& page) {
  RgbaReader reader(file.get());
  file.check(reader.has_begun);
  reader.state.req_orientation = reader.state.orientation;  // as it is stored
  const auto count = static_cast<std::size_t>(page.width) * static_cast<std::size_t>(page.height);
  std::vector<std::uint32_t> pixels(count);
  file.check(TIFFRGBAImageGet(&reader.state, pixels.data(), static_cast<std::uint32_t>(page.width),
                              static_cast<std::uint32_t>(page.height)) == 1);
  Image out(page.height, page.width, 3);
  for (std::size_t i = 0; i < count; ++i) {
    out.pixels[3 * i] = static_cast<std::uint8_t>(TIFFGetR(pixels[i]));
    out.pixels[3 * i + 1] = static_cast<std::uint8_t>(TIFFGetG(pixels[i]));
    out.pixels[3 * i + 2] = static_cast<std::uint8_t>(TIFFGetB(pixels[i]));
  }
  return out;
}

Image read_pixels(const TiffFile& file, const Page& page) {
  if (page.photometric == PHOTOMETRIC_YCBCR) {
    if (page.compression != COMPRESSION_JPEG || page.separate) return read_ycbcr(file, page);
    file.check(TIFFSetField(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) == 1);
  }
  Image out(page.height, page.width, page.channels());
  if (TIFFIsTiled(file.get())) {
    read_tiles(file, page, out);
  } else {
    read_strips(file, page, out);
  }
  if (page.photometric == PHOTOMETRIC_MINISWHITE)
    for (std::size_t i = 0; i < out.pixels.size(); i += static_cast<std::size_t>(out.channels))
      out.pixels[i] = static_cast<std::uint8_t>(255 - out.pixels[i]);
  if (page.photometric == PHOTOMETRIC_SEPARATED) return from_cmyk(out.pixels, out.height, out.width, false);
  return page.alpha == Alpha::none ? std::move(out) : over_white(out, page.alpha == Alpha::multiplied);
}

}  // namespace

Decoded decode_tiff(std::span<const std::uint8_t> bytes) {
  const TiffFile file(bytes);
  const Page page = read_page(file);
  Decoded out;
  out.image = read_pixels(file, page);
  out.orientation = file.tag<std::uint16_t>(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  return out;
}

}  // namespace enxerto
