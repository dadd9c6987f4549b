#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/codecs.h"
#include "enxerto/image/exif.h"

namespace enxerto {
namespace {

struct CloseDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

/// The first frame of the file, borrowed from its demuxer.
struct Frame {
  WebPIterator iterator{};
  ~Frame() { WebPDemuxReleaseIterator(&iterator); }
};

struct Chunk {
  WebPChunkIterator iterator{};
  ~Chunk() { WebPDemuxReleaseChunkIterator(&iterator); }
};

[[noreturn]] void fail(std::string_view why) {
  throw Error(ErrorKind::corrupt, text("is a WebP picture that is damaged or cut short: ", why));
}

/// The frame at its own size, with alpha where it has some.
Image decode_frame(const WebPData& data, int width, int height) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) fail("its frame has no header");
  if (features.width != width || features.height != height) fail("its headers disagree on its size");
  Image out(height, width, features.has_alpha ? 4 : 3);
  const int row_bytes = static_cast<int>(out.row_bytes());
  const auto decode = features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(data.bytes, data.size, out.pixels.data(), out.pixels.size(), row_bytes))
    fail("its pixels cannot be decoded");
  return features.has_alpha ? over_white(out) : out;
}

/// An animation's first frame may cover a part of the canvas only; what it leaves is transparent, so white.
Image on_canvas(Image frame, const WebPIterator& place, int width, int height) {
  if (frame.width == width && frame.height == height) return frame;
  if (place.x_offset < 0 || place.y_offset < 0 || place.x_offset + frame.width > width ||
      place.y_offset + frame.height > height)
    fail("its frame lies outside of the picture");
  Image out(height, width, 3);
  std::fill(out.pixels.begin(), out.pixels.end(), std::uint8_t{255});
  for (int y = 0; y < frame.height; ++y)
    std::copy_n(frame.row(y), frame.row_bytes(), out.row(y + place.y_offset) + 3 * place.x_offset);
  return out;
}

}  // namespace

Decoded decode_webp(std::span<const std::uint8_t> bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, CloseDemuxer> demuxer(WebPDemux(&data));
  if (!demuxer) fail("its parts do not fit together");
  const int width = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  const int height = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  check_pixels(width, height, pixels_possible(bytes.size()));
  Frame frame;
  if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame.iterator)) fail("it has no frame");
  if (!frame.iterator.complete) fail("the end is missing");
  const WebPIterator& first = frame.iterator;
  check_pixels(first.width, first.height, pixels_possible(bytes.size()));
  Decoded out;
  out.image = on_canvas(decode_frame(first.fragment, first.width, first.height), first, width, height);
  Chunk exif;
  if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &exif.iterator))
    out.orientation = Exif({exif.iterator.chunk.bytes, exif.iterator.chunk.size}).orientation();
  return out;
}

}  // namespace enxerto
