#include "cli/features.h"

#include <algorithm>
#include <span>
#include <vector>

#include "cli/backbone.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

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

}  // namespace

FeatureRows features_of(const ModelFlags& flags, const Splits& splits, const Examination& examined,
                        Console& console) {
  BackboneFlags from;
  from.model = flags;
  const Backbone backbone = load_backbone(from);
  const Prefix prefix{.graph = enxerto::features_of(backbone.graph, backbone.cut),
                      .preprocess = backbone.preprocess,
                      .batch = 16};
  FeatureRows features{.width = prefix.row_size(), .values = {}};
  const auto pictures = static_cast<std::int64_t>(examined.pictures.size());
  constexpr std::int64_t most_bytes = std::int64_t{4} << 30;
  if (pictures > most_bytes / 4 / features.width)
    throw Error(
        ErrorKind::unsupported,
        text(flags.path, ": ", with_commas(features.width), " features of each of ", with_commas(pictures),
             " pictures are more than 4 GiB; give a smaller network, or parts of the data"));
  features.values.resize(static_cast<std::size_t>(pictures * features.width));
  std::vector<std::int64_t> readable;  // pictures are numbered as in all splits together
  for (std::int64_t i = 0; i < pictures; ++i)
    if (examined.pictures[static_cast<std::size_t>(i)].is_readable()) readable.push_back(i);
  const Subset subset(joined(splits), readable);
  Pace pace(console, "features");
  const Features rows =
      compute_features(prefix, WithoutHue(subset),
                       {.memory_bytes = most_bytes,
                        .on_progress = [&](std::int64_t done, std::int64_t all) { pace.show(done, all); },
                        .stop = &catch_interrupts()});
  const auto width = static_cast<std::size_t>(features.width);
  for (std::size_t i = 0; i < readable.size(); ++i)
    rows.read(static_cast<std::int64_t>(i), 1,
              std::span(features.values).subspan(static_cast<std::size_t>(readable[i]) * width, width));
  return features;
}

}  // namespace enxerto::cli
