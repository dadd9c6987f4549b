#include "enxerto/data/dataset.h"

#include <algorithm>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/image/decode.h"

namespace enxerto {

std::vector<std::int32_t> labels_of(const Dataset& data) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = data.label(static_cast<std::int64_t>(i));
  return labels;
}

std::vector<std::int64_t> class_counts(const Dataset& data) {
  std::vector<std::int64_t> counts(data.classes().size());
  for (std::int64_t i = 0; i < data.size(); ++i)
    for (const std::int32_t label : data.labels(i)) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

namespace {

void ensure_labels(const LabelTable& labels, const std::vector<std::string>& classes) {
  const std::int32_t least = labels.multi ? 0 : unlabelled;
  for (const std::int32_t label : labels.values)
    ensure(label >= least && label < static_cast<std::int32_t>(classes.size()), "a label is a class");
  for (std::size_t i = 0; labels.multi && i < labels.size(); ++i)
    ensure(std::ranges::is_sorted(labels.of(i)), "a picture's labels ascend");
}

std::int32_t first_of(std::span<const std::int32_t> labels) {
  return labels.empty() ? unlabelled : labels.front();
}

}  // namespace

void LabelTable::add(std::span<const std::int32_t> labels) {
  ensure(multi, "only a table of several labels a picture is added to");
  values.insert(values.end(), labels.begin(), labels.end());
  ends.push_back(values.size());
}

std::span<const std::int32_t> LabelTable::of(std::size_t picture) const {
  const std::span<const std::int32_t> all = values;
  if (!multi) return all.subspan(picture, all[picture] == unlabelled ? 0 : 1);
  const std::size_t begin = picture ? ends[picture - 1] : 0;
  return all.subspan(begin, ends[picture] - begin);
}

FileDataset::FileDataset(std::vector<std::string> paths, LabelTable labels, std::vector<std::string> classes)
    : paths_(std::move(paths)), labels_(std::move(labels)), classes_(std::move(classes)) {
  ensure(paths_.size() == labels_.size(), "a file dataset has a label for each path");
  ensure_labels(labels_, classes_);
}

std::int32_t FileDataset::label(std::int64_t index) const { return first_of(labels(index)); }

Sample FileDataset::get(std::int64_t index, const DecodeOptions& options) const {
  return {load_image(name(index), options), label(index)};
}

MemoryDataset::MemoryDataset(PictureBlock block, LabelTable labels, std::vector<std::string> classes)
    : block_(std::move(block)), labels_(std::move(labels)), classes_(std::move(classes)) {
  ensure(block_.pixels.size() == labels_.size() * block_.picture_bytes(),
         "a memory dataset has a label for each picture");
  ensure(!block_.sources.empty() && block_.sources.front().first == 0, "pictures in memory have a source");
  ensure_labels(labels_, classes_);
}

std::int32_t MemoryDataset::label(std::int64_t index) const { return first_of(labels(index)); }

Sample MemoryDataset::get(std::int64_t index, const DecodeOptions&) const {
  Sample sample{Image(block_.height, block_.width, block_.channels), label(index)};
  const std::size_t bytes = block_.picture_bytes();
  std::copy_n(block_.pixels.data() + static_cast<std::size_t>(index) * bytes, bytes,
              sample.image.pixels.data());
  return sample;
}

std::string MemoryDataset::name(std::int64_t index) const {
  const auto after = std::upper_bound(block_.sources.begin(), block_.sources.end(), index,
                                      [](std::int64_t i, const auto& source) { return i < source.first; });
  const PictureBlock::Source& source = *std::prev(after);
  return text(source.name, "#", index - source.first);
}

Subset::Subset(std::shared_ptr<const Dataset> all, std::vector<std::int64_t> indices)
    : all_(std::move(all)), indices_(std::move(indices)) {
  for (const std::int64_t index : indices_)
    ensure(index >= 0 && index < all_->size(), "a subset's pictures are in the whole");
}

Joined::Joined(std::vector<std::shared_ptr<const Dataset>> parts) : parts_(std::move(parts)) {
  ensure(!parts_.empty(), "something is joined");
}

std::int64_t Joined::size() const {
  std::int64_t n = 0;
  for (const auto& part : parts_) n += part->size();
  return n;
}

const Dataset& Joined::find(std::int64_t& index) const {
  auto part = parts_.begin();
  for (; index >= (*part)->size(); ++part) index -= (*part)->size();
  return **part;
}

}  // namespace enxerto
