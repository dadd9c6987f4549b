#include "enxerto/image/resize.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/image/pixel_loops.h"
#include "enxerto/image/taps.h"

namespace enxerto {
namespace {

/// Where a cut from the middle begins. lrint rounds halves to even, like Python's round().
std::int64_t middle_of(std::int64_t whole, int part) {
  return std::lrint(static_cast<double>(whole - part) / 2.0);
}

Axis across_of(const ResizePlan& plan) {
  return {plan.source_width, plan.box.left, plan.box.right, plan.width, plan.left, plan.cut_width};
}
Axis down_of(const ResizePlan& plan) {
  return {plan.source_height, plan.box.top, plan.box.bottom, plan.height, plan.top, plan.cut_height};
}

TapsView view(const Taps& taps) {
  return {taps.runs.data(), taps.weights.data(), taps.stride, static_cast<int>(taps.runs.size())};
}

/// `area` of a picture, without a copy.
Rows rows_of(const Image& image, const Area& area) {
  return {image.row(area.top) + static_cast<std::ptrdiff_t>(area.left) * image.channels, image.row_bytes(),
          image.pixels.data() + image.pixels.size()};
}

/// The passes of a resize; each works on an area of an image, whose corner is what the axes' taps reach
/// first.
struct Passes {
  Axis across, down;
  Filter filter;
  const PixelLoops& loops;

  Image run_across(const Image& image, const Area& area) const {
    Image out(area.height, across.count, image.channels);
    const Taps taps = make_taps(across, filter, reach_of(across, filter).first);
    loops.across(rows_of(image, area), area.height, image.channels, view(taps), out.pixels.data());
    return out;
  }
  Image run_down(const Image& image, const Area& area) const {
    Image out(down.count, area.width, image.channels);
    const Taps taps = make_taps(down, filter, reach_of(down, filter).first);
    loops.down(rows_of(image, area), out.row_bytes(), view(taps), out.pixels.data());
    return out;
  }
  /// An axis that copies has no pass.
  Image run(const Image& image, const Area& area, bool rows_first) const {
    const auto all = [](const Image& whole) { return Area{0, 0, whole.width, whole.height}; };
    if (across.is_copy() && down.is_copy()) return crop(image, area);
    if (across.is_copy()) return run_down(image, area);
    if (down.is_copy()) return run_across(image, area);
    if (rows_first) {
      const Image wide = run_across(image, area);
      return run_down(wide, all(wide));
    }
    const Image tall = run_down(image, area);
    return run_across(tall, all(tall));
  }
};

/// Pillow 13 takes the columns first where the height shrinks by much more than the width; before, it took
/// the rows first always.
bool takes_rows_first(const ResizePlan& plan) {
  return !(plan.height < plan.source_height &&
           plan.source_height - plan.height > 2 * (plan.source_width - plan.width));
}

template <int channels>
void mirror_row(const std::uint8_t* from, std::uint8_t* to, std::ptrdiff_t width) {
  for (std::ptrdiff_t x = 0; x < width; ++x)
    for (int c = 0; c < channels; ++c) to[x * channels + c] = from[(width - 1 - x) * channels + c];
}

}  // namespace

ResizePlan ResizePlan::whole(int source_width, int source_height, int width, int height, Filter filter) {
  return {source_width,
          source_height,
          {0, 0, static_cast<double>(source_width), static_cast<double>(source_height)},
          width,
          height,
          0,
          0,
          width,
          height,
          filter};
}

ResizePlan ResizePlan::middle(int source_width, int source_height, std::int64_t width, std::int64_t height,
                              int cut_width, int cut_height, Filter filter) {
  ensure(cut_width > 0 && cut_height > 0 && cut_width <= width && cut_height <= height,
         "the part that is cut out lies in the picture");
  ResizePlan plan = whole(source_width, source_height, cut_width, cut_height, filter);
  plan.width = width;
  plan.height = height;
  plan.left = middle_of(width, cut_width);
  plan.top = middle_of(height, cut_height);
  return plan;
}

Area ResizePlan::needs() const {
  const Taps::Run columns = reach_of(across_of(*this), filter), rows = reach_of(down_of(*this), filter);
  return {columns.first, rows.first, columns.count, rows.count};
}

ResizePlan ResizePlan::on(int other_width, int other_height) const {
  if (other_width == source_width && other_height == source_height) return *this;
  double x = static_cast<double>(other_width) / source_width;
  double y = static_cast<double>(other_height) / source_height;
  // A decoder reduces to eighths and rounds the sides up: the last pixels reach beyond the picture.
  for (const int eighths : {1, 2, 4})
    if (other_width == (std::int64_t{source_width} * eighths + 7) / 8 &&
        other_height == (std::int64_t{source_height} * eighths + 7) / 8) {
      x = y = eighths / 8.0;
      break;
    }
  ResizePlan plan = *this;
  plan.source_width = other_width;
  plan.source_height = other_height;
  plan.box = {box.left * x, box.top * y, std::min<double>(box.right * x, other_width),
              std::min<double>(box.bottom * y, other_height)};
  return plan;
}

Image ResizePlan::run(const Image& image, const Area& have) const {
  ensure(width > 0 && height > 0 && (image.channels == 1 || image.channels == 3),
         "a picture is resized to at least one pixel");
  ensure(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
             box.right <= source_width && box.bottom <= source_height,
         "the part that is resized lies in the picture");
  Area area = needs();
  area.left -= have.left;
  area.top -= have.top;
  ensure(image.width == have.width && image.height == have.height && area.left >= 0 && area.top >= 0 &&
             area.width <= have.width - area.left && area.height <= have.height - area.top,
         "what a resize needs of a picture is there");
  if (area == Area{0, 0, image.width, image.height} && across_of(*this).is_copy() && down_of(*this).is_copy())
    return image;
  const Passes passes{across_of(*this), down_of(*this), filter, pixel_loops()};
  return passes.run(image, area, takes_rows_first(*this));
}

Image resize(const Image& image, const Box& part, int width, int height, Filter filter) {
  ResizePlan plan = ResizePlan::whole(image.width, image.height, width, height, filter);
  plan.box = part;
  return plan.run(image);
}

Image resize(const Image& image, int width, int height, Filter filter) {
  return ResizePlan::whole(image.width, image.height, width, height, filter).run(image);
}

Image resize_middle(const Image& image, std::int64_t width, std::int64_t height, int cut_width,
                    int cut_height, Filter filter) {
  return ResizePlan::middle(image.width, image.height, width, height, cut_width, cut_height, filter)
      .run(image);
}

Image crop(const Image& image, int left, int top, int width, int height) {
  ensure(left >= 0 && top >= 0 && width > 0 && height > 0 && width <= image.width - left &&
             height <= image.height - top,
         "the part that is cut out lies in the picture");
  Image out(height, width, image.channels);
  for (int y = 0; y < height; ++y)
    std::copy_n(image.row(top + y) + static_cast<std::ptrdiff_t>(left) * image.channels, out.row_bytes(),
                out.row(y));
  return out;
}

Image crop(const Image& image, const Area& area) {
  return crop(image, area.left, area.top, area.width, area.height);
}

Image crop_centre(const Image& image, int width, int height) {
  if (width == image.width && height == image.height) return image;
  return crop(image, static_cast<int>(middle_of(image.width, width)),
              static_cast<int>(middle_of(image.height, height)), width, height);
}

Image flip_horizontal(const Image& image) {
  Image out(image.height, image.width, image.channels);
  for (int y = 0; y < image.height; ++y) {
    if (image.channels == 3)
      mirror_row<3>(image.row(y), out.row(y), image.width);
    else
      mirror_row<1>(image.row(y), out.row(y), image.width);
  }
  return out;
}

}  // namespace enxerto
