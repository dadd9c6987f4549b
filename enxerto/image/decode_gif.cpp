#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"

namespace enxerto {
namespace {

[[noreturn]] void fail(std::string_view why) {
  throw Error(ErrorKind::corrupt, text("is a GIF picture that is damaged or cut short: ", why));
}

struct Close {
  void operator()(GifFileType* gif) const {
    int error = 0;
    DGifCloseFile(gif, &error);
  }
};

class GifReader {
 public:
  explicit GifReader(std::span<const std::uint8_t> bytes) : bytes_(bytes), left_(bytes) {
    int error = 0;
    gif_.reset(DGifOpen(this, on_read, &error));
    if (!gif_) fail(reason(error));
  }

  Image first_frame() {
    for (;;) {
      GifRecordType type;
      check(DGifGetRecordType(gif_.get(), &type));
      if (type == IMAGE_DESC_RECORD_TYPE) break;
      if (type == TERMINATE_RECORD_TYPE) fail("it has no frame");
      if (type == EXTENSION_RECORD_TYPE) read_extension();
    }
    Image image = read_frame();
    walk_to_end();
    return image;
  }

 private:
  static int on_read(GifFileType* gif, GifByteType* to, int size) {
    auto& left = static_cast<GifReader*>(gif->UserData)->left_;
    const std::size_t count = std::min(left.size(), static_cast<std::size_t>(size));
    std::memcpy(to, left.data(), count);
    left = left.subspan(count);
    return static_cast<int>(count);
  }
  static std::string_view reason(int error) {
    const char* said = GifErrorString(error);
    return said ? said : "it makes no sense";
  }
  void check(int result) const {
    if (result != GIF_OK) fail(reason(gif_->Error));
  }

  void read_extension() {
    int code = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    check(DGifGetExtension(gif_.get(), &code, &block));
    while (block) {
      GraphicsControlBlock control;
      if (code == GRAPHICS_EXT_FUNC_CODE &&
          DGifExtensionToGCB(std::size_t{block[0]}, block + 1, &control) == GIF_OK)
        transparent_ = control.TransparentColor;
      check(DGifGetExtensionNext(gif_.get(), &block));
    }
  }

  /// The canvas is white where the frame leaves it, or is transparent.
  Image read_frame() {
    check(DGifGetImageDesc(gif_.get()));
    const GifImageDesc& frame = gif_->Image;
    if (frame.Left < 0 || frame.Top < 0 || frame.Width <= 0 || frame.Height <= 0)
      fail("its frame has no pixels");
    // As browsers do, where the first frame is larger than the screen that the file announces.
    const int width = std::max(gif_->SWidth, frame.Left + frame.Width);
    const int height = std::max(gif_->SHeight, frame.Top + frame.Height);
    check_pixels(width, height, pixels_possible(bytes_.size()));
    const auto colours = palette();
    Image image(height, width, 3);
    std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{255});
    std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
    // Rows 0, 8, 16...; 4, 12...; 2, 6...; 1, 3...
    struct Pass {
      int first, step;
    };
    static constexpr std::array interlaced{Pass{0, 8}, Pass{4, 8}, Pass{2, 4}, Pass{1, 2}};
    static constexpr std::array plain{Pass{0, 1}};
    for (const Pass& pass : frame.Interlace ? std::span<const Pass>(interlaced) : plain)
      for (int y = pass.first; y < frame.Height; y += pass.step) {
        check(DGifGetLine(gif_.get(), line.data(), frame.Width));
        std::uint8_t* to = image.row(frame.Top + y) + 3 * frame.Left;
        for (const GifPixelType index : line) {
          if (index != transparent_) std::copy_n(colours[index].begin(), 3, to);
          to += 3;
        }
      }
    return image;
  }

  /// Grey where the file has no palette; black for colours that its palette lacks.
  std::array<std::array<std::uint8_t, 3>, 256> palette() const {
    std::array<std::array<std::uint8_t, 3>, 256> colours{};
    const ColorMapObject* map = gif_->Image.ColorMap ? gif_->Image.ColorMap : gif_->SColorMap;
    for (std::size_t i = 0; i < 256; ++i) {
      const auto grey = static_cast<std::uint8_t>(i);
      if (!map) colours[i] = {grey, grey, grey};
      if (map && static_cast<int>(i) < map->ColorCount)
        colours[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};
    }
    return colours;
  }

  /// What follows is not decoded, but has to be there: a file that is cut short shall be found.
  void walk_to_end() {
    for (;;) {
      constexpr std::uint8_t extension = 0x21, frame = 0x2C;
      const std::uint8_t type = take(1)[0];
      if (type == extension) {
        take(1);
      } else if (type == frame) {
        const std::uint8_t flags = take(9)[8];
        if (flags & 0x80) take(std::size_t{3} << ((flags & 7) + 1));
        take(1);  // bits of a code
      } else {
        return;  // the trailer, or bytes that no viewer looks at
      }
      while (const std::size_t length = take(1)[0]) take(length);
    }
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (left_.size() < count) fail("the end is missing");
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

  std::span<const std::uint8_t> bytes_, left_;
  std::unique_ptr<GifFileType, Close> gif_;
  int transparent_ = NO_TRANSPARENT_COLOR;
};

}  // namespace

Decoded decode_gif(std::span<const std::uint8_t> bytes) { return {GifReader(bytes).first_frame(), 1}; }

}  // namespace enxerto
