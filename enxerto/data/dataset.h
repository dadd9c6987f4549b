/// Datasets: indexed pictures with labels.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "enxerto/image/decode.h"
#include "enxerto/image/image.h"

namespace enxerto {

/// Labels count from 0 in the order of classes(). A picture without one has this.
inline constexpr std::int32_t unlabelled = -1;

struct Sample {
  Image image;  ///< grey where the file is grey, else RGB
  std::int32_t label = unlabelled;
};

/// Pictures with labels; a number stays the same picture for the dataset's life. All calls may come from
/// many threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  /// Decodes; index in [0, size()). Throws Error that names the file where it is bad. A dataset that makes
  /// its pictures some other way may pass over `options` and never call `choose`: all of the picture comes.
  virtual Sample get(std::int64_t index, const DecodeOptions& options = {}) const = 0;
  virtual std::int32_t label(std::int64_t index) const = 0;  ///< without decoding: the first of labels()
  /// All of them, ascending and without decoding: one, or none where it is unlabelled. Where multi_label()
  /// any number, and none says that the picture shows none of the classes.
  virtual std::span<const std::int32_t> labels(std::int64_t index) const = 0;
  /// Whether a picture may have several labels, so that each class is a question of its own.
  virtual bool multi_label() const = 0;
  /// For people: the path of the file, or "file#17" for picture 17 of a file that holds many.
  virtual std::string name(std::int64_t index) const = 0;
  /// The path of its file, where it has one to itself; else empty.
  virtual std::string file(std::int64_t) const { return ""; }
  virtual std::span<const std::string> classes() const = 0;  ///< no name twice
};

/// label() of all pictures.
std::vector<std::int32_t> labels_of(const Dataset& data);
/// How many pictures have each class's label.
std::vector<std::int64_t> class_counts(const Dataset& data);

/// The labels of many pictures, where one each or, as `multi` says, any number.
struct LabelTable {
  std::vector<std::int32_t> values;  ///< of one picture after the other
  bool multi = false;
  std::vector<std::size_t> ends =
      {};  ///< only where `multi`: how many values there are up to each picture's last

  LabelTable() = default;
  LabelTable(std::vector<std::int32_t> one_each) : values(std::move(one_each)) {}
  LabelTable(std::initializer_list<std::int32_t> one_each) : values(one_each) {}
  std::size_t size() const { return multi ? ends.size() : values.size(); }  ///< pictures
  void add(std::span<const std::int32_t> labels);  ///< of the next picture; only where `multi`
  /// Empty for `unlabelled`.
  std::span<const std::int32_t> of(std::size_t picture) const;
};

/// Picture files, decoded at each get().
class FileDataset final : public Dataset {
 public:
  /// Labels for each path, in [0, classes.size()), ascending; or, where there is one each, `unlabelled`.
  FileDataset(std::vector<std::string> paths, LabelTable labels, std::vector<std::string> classes);
  std::int64_t size() const override { return static_cast<std::int64_t>(paths_.size()); }
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override;
  std::int32_t label(std::int64_t index) const override;
  std::span<const std::int32_t> labels(std::int64_t index) const override {
    return labels_.of(static_cast<std::size_t>(index));
  }
  bool multi_label() const override { return labels_.multi; }
  std::string name(std::int64_t index) const override { return paths_[static_cast<std::size_t>(index)]; }
  std::string file(std::int64_t index) const override { return name(index); }
  std::span<const std::string> classes() const override { return classes_; }

 private:
  std::vector<std::string> paths_;
  LabelTable labels_;
  std::vector<std::string> classes_;
};

/// Pictures of one size in memory, one after the other, each as Image has them.
struct PictureBlock {
  /// Where the pictures from number `first` on came from.
  struct Source {
    std::int64_t first = 0;
    std::string name;
  };
  int height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<Source> sources;  ///< by `first`, which is 0 in the first
  std::size_t picture_bytes() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
           static_cast<std::size_t>(channels);
  }
};

class MemoryDataset final : public Dataset {
 public:
  MemoryDataset(PictureBlock block, LabelTable labels, std::vector<std::string> classes);
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override;
  std::int32_t label(std::int64_t index) const override;
  std::span<const std::int32_t> labels(std::int64_t index) const override {
    return labels_.of(static_cast<std::size_t>(index));
  }
  bool multi_label() const override { return labels_.multi; }
  std::string name(std::int64_t index) const override;
  std::span<const std::string> classes() const override { return classes_; }

 private:
  PictureBlock block_;
  LabelTable labels_;
  std::vector<std::string> classes_;
};

/// Some pictures of another dataset, in the order given.
class Subset final : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> all, std::vector<std::int64_t> indices);
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override {
    return all_->get(at(index), options);
  }
  std::int32_t label(std::int64_t index) const override { return all_->label(at(index)); }
  std::span<const std::int32_t> labels(std::int64_t index) const override { return all_->labels(at(index)); }
  bool multi_label() const override { return all_->multi_label(); }
  std::string name(std::int64_t index) const override { return all_->name(at(index)); }
  std::string file(std::int64_t index) const override { return all_->file(at(index)); }
  std::span<const std::string> classes() const override { return all_->classes(); }

 private:
  std::int64_t at(std::int64_t index) const { return indices_[static_cast<std::size_t>(index)]; }
  std::shared_ptr<const Dataset> all_;
  std::vector<std::int64_t> indices_;
};

/// The pictures of several datasets with the same classes, one dataset after the other.
class Joined final : public Dataset {
 public:
  /// None may be null; at least one.
  explicit Joined(std::vector<std::shared_ptr<const Dataset>> parts);
  std::int64_t size() const override;
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override {
    const Dataset& part = find(index);
    return part.get(index, options);
  }
  std::int32_t label(std::int64_t index) const override {
    const Dataset& part = find(index);
    return part.label(index);
  }
  std::span<const std::int32_t> labels(std::int64_t index) const override {
    const Dataset& part = find(index);
    return part.labels(index);
  }
  bool multi_label() const override { return parts_.front()->multi_label(); }
  std::string name(std::int64_t index) const override {
    const Dataset& part = find(index);
    return part.name(index);
  }
  std::string file(std::int64_t index) const override {
    const Dataset& part = find(index);
    return part.file(index);
  }
  std::span<const std::string> classes() const override { return parts_.front()->classes(); }

 private:
  /// The part that a picture lies in; the index becomes its place there.
  const Dataset& find(std::int64_t& index) const;
  std::vector<std::shared_ptr<const Dataset>> parts_;
};

}  // namespace enxerto
