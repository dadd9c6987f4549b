#include "cli/features.h"

#include <algorithm>
#include <array>

#include "cli/backbone.h"
#include "cli/commands.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"

namespace enxerto::cli {
namespace {

/// The pictures with each pixel as bright as its greatest channel, and grey: what other hues do not change.
class WithoutHue final : public Dataset {
 public:
  explicit WithoutHue(const Dataset& data) : data_(data) {}
  std::int64_t size() const override { return data_.size(); }
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override {
    Sample sample = data_.get(index, options);
    if (sample.image.channels == 3) {
      std::uint8_t* pixel = sample.image.pixels.data();
      for (std::size_t i = 0; i < sample.image.pixels.size(); i += 3)
        std::fill_n(pixel + i, 3, std::max({pixel[i], pixel[i + 1], pixel[i + 2]}));
    }
    return sample;
  }
  std::int32_t label(std::int64_t index) const override { return data_.label(index); }
  std::span<const std::int32_t> labels(std::int64_t index) const override { return data_.labels(index); }
  bool multi_label() const override { return data_.multi_label(); }
  std::string name(std::int64_t index) const override { return data_.name(index); }
  std::span<const std::string> classes() const override { return data_.classes(); }

 private:
  const Dataset& data_;
};

/// Says how far it is, at most ten times a second.
class Pace {
 public:
  Pace(std::int64_t all, Console& console) : all_(all), console_(console) {}
  void add(std::int64_t pictures) {
    done_ += pictures;
    if (const double now = now_seconds(); now - drawn_ >= 0.1) {
      drawn_ = now;
      console_.draw(text("features of ", with_commas(done_), " of ", with_commas(all_), " pictures"));
    }
  }

 private:
  std::int64_t all_, done_ = 0;
  Console& console_;
  double drawn_ = 0;
};

}  // namespace

FeatureRows features_of(const ModelFlags& flags, const Splits& splits, const Examination& examined,
                        Console& console) {
  const Backbone backbone = load_backbone({.model = flags, .cut = {}, .filter = {}, .fit = {}});
  const Graph network = enxerto::features_of(backbone.graph, backbone.cut);
  FeatureRows features{.width = network.output_shape().size(), .values = {}};
  const auto pictures = static_cast<std::int64_t>(examined.pictures.size());
  constexpr std::int64_t most_bytes = std::int64_t{4} << 30;
  if (pictures > most_bytes / 4 / features.width)
    throw Error(
        ErrorKind::unsupported,
        text(flags.path, ": ", with_commas(features.width), " features of each of ", with_commas(pictures),
             " pictures are more than 4 GiB; give a smaller network, or parts of the data"));
  features.values.resize(static_cast<std::size_t>(pictures * features.width));
  // A picture's place among all of them, by split and number.
  std::array<std::vector<std::int64_t>, 3> readable, numbers;
  for (std::int64_t i = 0; i < pictures; ++i) {
    const Picture& its = examined.pictures[static_cast<std::size_t>(i)];
    if (!its.is_readable()) continue;
    readable[static_cast<std::size_t>(its.split)].push_back(its.index);
    numbers[static_cast<std::size_t>(its.split)].push_back(i);
  }
  constexpr int batch_size = 16;
  Executor executor(network, {.batch = batch_size});
  const std::atomic<bool>& stop = catch_interrupts();
  Pace pace(pictures, console);
  const std::array parts{splits.train, splits.val, splits.test};
  for (std::size_t split = 0; split < parts.size(); ++split) {
    if (readable[split].empty()) continue;
    const Subset subset(parts[split], readable[split]);
    const WithoutHue grey(subset);
    Loader loader(grey, {.batch = batch_size,
                         .workers = 1,
                         .preprocess = backbone.preprocess,
                         .augment = {},
                         .cache_bytes = 0});
    loader.start(1);
    for (Batch batch; loader.next(batch);) {
      if (stop) throw Error(ErrorKind::interrupted, "interrupted while features were computed");
      const ConstView out = executor.forward(batch.images.view());
      const auto width = static_cast<std::size_t>(features.width);
      for (std::size_t row = 0; row < batch.labels.size(); ++row) {
        const std::int64_t number = numbers[split][static_cast<std::size_t>(batch.indices[row])];
        std::ranges::copy(out.data.subspan(row * width, width),
                          features.values.begin() + number * features.width);
      }
      pace.add(std::ssize(batch.labels));
    }
  }
  console.clear();
  return features;
}

}  // namespace enxerto::cli
