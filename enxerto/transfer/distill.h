/// Distillation: a network learns to make of pictures what another one, its teacher, makes of them (Hinton et
/// al. 2015). Nobody's labels are asked.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "enxerto/heads/standardize.h"
#include "enxerto/train/trainer.h"
#include "enxerto/transfer/features.h"

namespace enxerto {

/// Pictures without their labels, and with the names of what a student makes of them in place of classes.
class Unlabelled final : public Dataset {
 public:
  Unlabelled(std::shared_ptr<const Dataset> pictures, std::vector<std::string> outputs);
  std::int64_t size() const override { return pictures_->size(); }
  Sample get(std::int64_t index, const DecodeOptions& options = {}) const override;
  std::int32_t label(std::int64_t) const override { return unlabelled; }
  std::span<const std::int32_t> labels(std::int64_t) const override { return {}; }
  bool multi_label() const override { return false; }
  std::string name(std::int64_t index) const override { return pictures_->name(index); }
  std::string file(std::int64_t index) const override { return pictures_->file(index); }
  std::span<const std::string> classes() const override { return outputs_; }

 private:
  std::shared_ptr<const Dataset> pictures_;
  std::vector<std::string> outputs_;
};

/// Writes the targets of these pictures, one row after the other.
using TargetRows = std::function<void(std::span<const std::int64_t> pictures, std::span<float> rows)>;
/// A teacher's features, standardized. `features` has to outlive them.
TargetRows feature_targets(const Features& features, Standardization by);
/// softmax(logits / temperature), where `rest` makes logits of features. Of at most `batch` pictures at once.
/// `features` has to outlive them.
TargetRows class_targets(const Features& features, const Graph& rest, double temperature, int batch);

/// Batches of another source with targets of their pictures.
class TargetFeed final : public BatchSource {
 public:
  TargetFeed(std::unique_ptr<BatchSource> pictures, std::int64_t columns, TargetRows targets);
  Shape shape() const override { return pictures_->shape(); }
  std::int64_t batches() const override { return pictures_->batches(); }
  std::int64_t size() const override { return pictures_->size(); }
  std::int64_t memory_bytes() const override;
  double seconds_waited() const override { return pictures_->seconds_waited(); }
  std::string note() const override { return pictures_->note(); }
  void start(int epoch) override { pictures_->start(epoch); }
  bool next(Batch& batch) override;

 private:
  std::unique_ptr<BatchSource> pictures_;
  std::int64_t columns_;
  TargetRows targets_;
};

struct Teacher {
  Prefix prefix;  ///< makes its features, of pictures without random changes
  /// Makes logits of the features: the student is to give the teacher's probabilities of classes. Empty: it
  /// is to give the features.
  std::optional<Graph> rest = {};
  double temperature = 1;  ///< of the probabilities
  std::int64_t outputs() const { return rest ? rest->output_shape().size() : prefix.row_size(); }
  /// Stands for the values of its parameters.
  ContentKey key() const;
};

/// Trains `student` in place, as train() does; it has as many outputs as the teacher, and `data` as many
/// classes (Unlabelled). The teacher sees each picture once, before the first step, its features are kept as
/// compute_features() keeps them; the student sees it changed at random as config.augment says. Features are
/// standardized by those of `data`. The student's dropout is off: there is no label to learn by heart.
/// config.loss has to be MeanSquaredError for features and CrossEntropy for probabilities. Throws what
/// compute_features() and train() throw, and Error{usage} where pictures are mixed with one another.
TrainResult distill(Graph& student, const Teacher& teacher, const Dataset& data, const Dataset* val,
                    const TrainConfig& config, const FeatureOptions& features,
                    std::span<Observer* const> observers = {}, TrainState from = {},
                    const std::atomic<bool>* stop = nullptr);

}  // namespace enxerto
