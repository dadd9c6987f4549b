#include "enxerto/doctor/registration.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "enxerto/core/error.h"
#include "enxerto/image/resize.h"

namespace enxerto {
namespace {

/// Where the pixels of one plate lie in the other: turned and scaled about its middle, which lies at (x, y).
/// All in longer sides.
struct Pose {
  double x = 0, y = 0;
  double log_width = 0, log_height = 0;  ///< of the scale, along the sides of the smaller picture
  double angle = 0;                      ///< radians
  bool mirrored = false;
};

/// What lies over each other: the levels of both, pixel by pixel of the smaller picture.
struct Overlay {
  std::vector<float> fixed, moved;
  std::vector<std::uint8_t> covered;  ///< for each pixel of the grid, in rows of `columns`
  int columns = 0, rows = 0;
};

constexpr double least_scale = 0.55, most_scale = 1.12, most_angle = 12 * std::numbers::pi / 180;
/// So much of the smaller picture has to lie on the larger one.
constexpr double least_covered = 0.75;
/// Correlations below these after the coarse search, and after the finer one, do not become good any more.
constexpr double hopeless = 0.45, nearly_hopeless = 0.7;

class Layers {
 public:
  Layers(const Plate& small, const Plate& large, std::size_t shade)
      : small_(small), large_(large), from_(small.shades[shade]), onto_(large.shades[shade]) {}

  /// Correlation over every `step`-th pixel of the smaller picture; -1 where too little of it is covered.
  double correlation(const Pose& pose, int step) const {
    double sum_a = 0, sum_b = 0, squares_a = 0, squares_b = 0, products = 0;
    int met = 0, all = 0;
    visit(pose, step, [&](bool covered, float a, float b) {
      ++all;
      if (!covered) return;
      ++met;
      sum_a += a, sum_b += b;
      squares_a += double{a} * a, squares_b += double{b} * b, products += double{a} * b;
    });
    if (met < least_covered * all || met < 16) return -1;
    const double n = met;
    const double spread_a = squares_a - sum_a * sum_a / n, spread_b = squares_b - sum_b * sum_b / n;
    if (spread_a < 4 * n || spread_b < 4 * n) return -1;  // flat: two levels of deviation
    return (products - sum_a * sum_b / n) / std::sqrt(spread_a * spread_b);
  }

  Overlay overlay(const Pose& pose) const {
    Overlay out{.fixed = {}, .moved = {}, .covered = {}, .columns = small_.width, .rows = small_.height};
    visit(pose, 1, [&](bool covered, float a, float b) {
      out.covered.push_back(covered);
      out.fixed.push_back(a);
      out.moved.push_back(b);
    });
    return out;
  }

  /// The part of the larger picture that is laid over, by areas.
  double overlap(const Pose& pose) const {
    const double area = std::exp(pose.log_width + pose.log_height) * small_.width * small_.height;
    return std::min(1.0, area / (double{1} * large_.width * large_.height));
  }

 private:
  /// Calls see(covered, level in the smaller, level in the larger).
  template <class See>
  void visit(const Pose& pose, int step, const See& see) const {
    const double cosine = std::cos(pose.angle), sine = std::sin(pose.angle);
    const double wide = std::exp(pose.log_width) * (pose.mirrored ? -1 : 1), high = std::exp(pose.log_height);
    const double middle_x = 0.5 * large_.width + pose.x * plate_side;
    const double middle_y = 0.5 * large_.height + pose.y * plate_side;
    for (int row = step / 2; row < small_.height; row += step)
      for (int column = step / 2; column < small_.width; column += step) {
        const double u = (column + 0.5 - 0.5 * small_.width) * wide;
        const double v = (row + 0.5 - 0.5 * small_.height) * high;
        const double x = middle_x + cosine * u - sine * v - 0.5, y = middle_y + sine * u + cosine * v - 0.5;
        const float level = from_[static_cast<std::size_t>(row * small_.width + column)];
        // Half a pixel beyond the edge is still the edge's.
        if (x < -0.5 || y < -0.5 || x > large_.width - 0.5 || y > large_.height - 0.5) {
          see(false, level, 0.0f);
          continue;
        }
        see(true, level,
            level_at(std::clamp(x, 0.0, large_.width - 1.0), std::clamp(y, 0.0, large_.height - 1.0)));
      }
  }
  float level_at(double x, double y) const {
    const int left = std::min(static_cast<int>(x), std::max(0, large_.width - 2));
    const int top = std::min(static_cast<int>(y), std::max(0, large_.height - 2));
    const int right = std::min(left + 1, large_.width - 1), bottom = std::min(top + 1, large_.height - 1);
    const auto fx = static_cast<float>(x - left), fy = static_cast<float>(y - top);
    const auto at = [&](int row, int column) {
      return static_cast<float>(onto_[static_cast<std::size_t>(row * large_.width + column)]);
    };
    const float upper = at(top, left) + (at(top, right) - at(top, left)) * fx;
    const float lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * fx;
    return upper + (lower - upper) * fy;
  }

  const Plate &small_, &large_;
  const std::vector<std::uint8_t>&from_, &onto_;
};

struct Scored {
  const Layers* layers = nullptr;
  Pose pose;
  double score = -1;
};

/// The best few of all.
class Best {
 public:
  void offer(const Scored& one) {
    if (best_.size() == kept && one.score <= best_.back().score) return;
    const auto place = std::ranges::find_if(best_, [&](const Scored& had) { return had.score < one.score; });
    best_.insert(place, one);
    if (best_.size() > kept) best_.pop_back();
  }
  std::vector<Scored>& all() { return best_; }

 private:
  static constexpr std::size_t kept = 4;
  std::vector<Scored> best_;
};

void search_grid(const Layers& layers, int step, Best& best) {
  constexpr std::array<double, 4> scales{1, 0.86, 0.74, 0.63};
  constexpr double turn = 6 * std::numbers::pi / 180, stride = 0.06;
  for (const double scale : scales) {
    const int reach = std::max(1, static_cast<int>(std::ceil((1 - scale) / 2 / stride)));
    for (const bool mirrored : {false, true})
      for (int turns = -1; turns <= 1; ++turns)
        for (int down = -reach; down <= reach; ++down)
          for (int across = -reach; across <= reach; ++across) {
            const Pose pose{.x = across * stride,
                            .y = down * stride,
                            .log_width = std::log(scale),
                            .log_height = std::log(scale),
                            .angle = turns * turn,
                            .mirrored = mirrored};
            best.offer({&layers, pose, layers.correlation(pose, step)});
          }
  }
}

/// Goes to the best neighbour of a pose until there is none, in steps that become smaller.
void climb(Scored& at, double size, double least_size, int step) {
  constexpr std::array<double Pose::*, 5> fields{&Pose::x, &Pose::y, &Pose::log_width, &Pose::log_height,
                                                 &Pose::angle};
  at.score = at.layers->correlation(at.pose, step);
  const auto try_pose = [&](const Pose& pose) {
    const auto is_scale = [](double log) {
      return log >= std::log(least_scale) && log <= std::log(most_scale);
    };
    if (!is_scale(pose.log_width) || !is_scale(pose.log_height) || std::abs(pose.angle) > most_angle)
      return false;
    const double score = at.layers->correlation(pose, step);
    if (score <= at.score) return false;
    at.pose = pose;
    at.score = score;
    return true;
  };
  constexpr int most_rounds = 12;
  for (; size >= least_size; size /= 2)
    for (int round = 0; round < most_rounds; ++round) {
      bool moved = false;
      for (const auto field : fields)
        for (const double way : {size, -size}) {
          Pose pose = at.pose;
          pose.*field += way;
          moved |= try_pose(pose);
        }
      // Both scales together: each alone makes the picture worse.
      for (const double way : {size, -size}) {
        Pose pose = at.pose;
        pose.log_width += way;
        pose.log_height += way;
        moved |= try_pose(pose);
      }
      if (!moved) break;
    }
}

/// Each level without the mean of what is covered within `reach` pixels.
std::vector<float> detail_of(const std::vector<float>& levels, const Overlay& overlay, int reach) {
  std::vector<float> out(levels.size(), 0.0f);
  for (int y = 0; y < overlay.rows; ++y)
    for (int x = 0; x < overlay.columns; ++x) {
      const auto here = static_cast<std::size_t>(y * overlay.columns + x);
      if (!overlay.covered[here]) continue;
      float sum = 0;
      int met = 0;
      for (int row = std::max(0, y - reach); row <= std::min(overlay.rows - 1, y + reach); ++row)
        for (int column = std::max(0, x - reach); column <= std::min(overlay.columns - 1, x + reach);
             ++column) {
          const auto there = static_cast<std::size_t>(row * overlay.columns + column);
          if (!overlay.covered[there]) continue;
          sum += levels[there];
          ++met;
        }
      out[here] = levels[here] - sum / static_cast<float>(met);
    }
  return out;
}

double detail_correlation(const Overlay& overlay, int reach) {
  const std::vector<float> a = detail_of(overlay.fixed, overlay, reach),
                           b = detail_of(overlay.moved, overlay, reach);
  double squares_a = 0, squares_b = 0, products = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares_a += double{a[i]} * a[i];
    squares_b += double{b[i]} * b[i];
    products += double{a[i]} * b[i];
  }
  const double least = 0.25 * static_cast<double>(a.size());  // half a level of deviation
  return squares_a < least || squares_b < least ? 0 : products / std::sqrt(squares_a * squares_b);
}

}  // namespace

Plate plate_of(const Image& image) {
  ensure(image.width > 0 && image.height > 0, "a picture has pixels");
  const int longer = std::max(image.width, image.height);
  const auto side = [&](int of) { return std::max(1, (of * plate_side + longer / 2) / longer); };
  const Image small = resize(image, side(image.width), side(image.height));
  Plate plate{.width = small.width, .height = small.height, .shades = {}};
  plate.shades[0] = with_channels(small, 1).pixels;
  plate.shades[1] = plate.shades[0];
  if (small.channels == 3)
    for (std::size_t i = 0; i < plate.shades[1].size(); ++i)
      plate.shades[1][i] = std::max({small.pixels[3 * i], small.pixels[3 * i + 1], small.pixels[3 * i + 2]});
  return plate;
}

Laid laid_over(const Plate& a, const Plate& b) {
  constexpr int coarse = 4, middle = 2;
  const std::array<Layers, 4> all{Layers(a, b, 0), Layers(b, a, 0), Layers(a, b, 1), Layers(b, a, 1)};
  Best best;
  for (const Layers& layers : all) search_grid(layers, coarse, best);
  if (best.all().front().score < hopeless) return {};
  for (Scored& one : best.all()) climb(one, 0.04, 0.01, middle);
  Scored& first = *std::ranges::max_element(best.all(), {}, &Scored::score);
  if (first.score < nearly_hopeless) return {};
  climb(first, 0.01, 0.0025, 1);
  constexpr int around = 4, beside = 1;
  const Overlay overlay = first.layers->overlay(first.pose);
  return {.whole = first.score,
          .detail = detail_correlation(overlay, around),
          .fine = detail_correlation(overlay, beside),
          .overlap = first.layers->overlap(first.pose),
          .mirrored = first.pose.mirrored};
}

}  // namespace enxerto
