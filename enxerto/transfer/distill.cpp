#include "enxerto/transfer/distill.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/loader.h"
#include "enxerto/graph/executor.h"

namespace enxerto {
namespace {

/// What makes logits of features, with room for a batch.
struct Rest {
  Rest(const Graph& graph, int batch) : executor(graph, {.batch = batch}) {
    Shape shape = graph.input_shape();
    row = static_cast<std::size_t>(shape.size());
    shape.n = batch;
    features = Tensor(shape);
  }
  Executor executor;
  Tensor features;
  std::size_t row;
};

void check_distill(const Teacher& teacher, const TrainConfig& config) {
  if (config.augment.mixes())
    throw Error(ErrorKind::usage,
                "mixup and cutmix make pictures that the teacher has not seen; leave them out");
  if (teacher.rest && !(std::isfinite(teacher.temperature) && teacher.temperature > 0))
    throw Error(ErrorKind::usage, text("the temperature: more than 0, not ", teacher.temperature));
  ensure(teacher.rest ? std::holds_alternative<CrossEntropy>(config.loss)
                      : std::holds_alternative<MeanSquaredError>(config.loss),
         "probabilities have cross-entropy, features the squared error");
}

}  // namespace

Unlabelled::Unlabelled(std::shared_ptr<const Dataset> pictures, std::vector<std::string> outputs)
    : pictures_(std::move(pictures)), outputs_(std::move(outputs)) {}

Sample Unlabelled::get(std::int64_t index, const DecodeOptions& options) const {
  Sample sample = pictures_->get(index, options);
  sample.label = unlabelled;
  return sample;
}

TargetRows feature_targets(const Features& features, Standardization by_columns) {
  return
      [&features, by = std::move(by_columns)](std::span<const std::int64_t> pictures, std::span<float> rows) {
        const auto columns = static_cast<std::size_t>(features.row_shape().size());
        for (std::size_t i = 0; i < pictures.size(); ++i) {
          const auto row = rows.subspan(i * columns, columns);
          features.read(pictures[i], 1, row);
          standardize_row(by, row, row);
        }
      };
}

TargetRows class_targets(const Features& features, const Graph& rest, double temperature, int batch) {
  const auto made = std::make_shared<Rest>(rest, batch);
  return [&features, made, temperature](std::span<const std::int64_t> pictures, std::span<float> rows) {
    ensure(std::ssize(pictures) <= made->features.shape().n, "no more pictures than a batch has");
    for (std::size_t i = 0; i < pictures.size(); ++i)
      features.read(pictures[i], 1, made->features.data().subspan(i * made->row, made->row));
    const ConstView logits = made->executor.forward(std::as_const(made->features).view());
    std::ranges::copy(logits.data.first(rows.size()), rows.begin());
    const std::size_t columns = rows.size() / pictures.size();
    for (float& logit : rows) logit = static_cast<float>(logit / temperature);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const auto row = rows.subspan(i * columns, columns);
      std::ranges::copy(probabilities_of(row), row.begin());
    }
  };
}

TargetFeed::TargetFeed(std::unique_ptr<BatchSource> pictures, std::int64_t columns, TargetRows targets)
    : pictures_(std::move(pictures)), columns_(columns), targets_(std::move(targets)) {}

std::int64_t TargetFeed::memory_bytes() const {
  return pictures_->memory_bytes() + shape().n * columns_ * std::int64_t{sizeof(float)};
}

bool TargetFeed::next(Batch& batch) {
  Tensor room = std::move(batch.targets);  // the source has none, and would not give it back
  batch.targets = Tensor();
  const bool there = pictures_->next(batch);
  batch.targets = std::move(room);
  if (!there) return false;
  const Shape shape{.n = pictures_->shape().n, .c = columns_};
  if (batch.targets.shape() != shape) batch.targets = Tensor(shape);
  const auto counted = batch.indices.size() * static_cast<std::size_t>(columns_);
  targets_(batch.indices, batch.targets.data().first(counted));
  std::ranges::fill(batch.targets.data().subspan(counted), 0.0f);
  return true;
}

ContentKey Teacher::key() const {
  ContentHash hash;
  for (const Param& param : prefix.graph.params()) hash.add(param.value.data());
  if (rest)
    for (const Param& param : rest->params()) hash.add(param.value.data());
  return hash.key();
}

TrainResult distill(Graph& student, const Teacher& teacher, const Dataset& data, const Dataset* val,
                    const TrainConfig& config, const FeatureOptions& features,
                    std::span<Observer* const> observers, TrainState from, const std::atomic<bool>* stop) {
  check_distill(teacher, config);
  if (val && val->size() == 0) val = nullptr;
  for (int i = 0; i <= student.last().index; ++i)
    if (std::holds_alternative<Dropout>(student.node({i}).layer)) student.set_frozen({i}, true);

  const Features rows = compute_features(teacher.prefix, data, features);
  std::optional<Features> val_rows;
  if (val) val_rows = compute_features(teacher.prefix, *val, features);
  Standardization by;
  if (!teacher.rest) {
    Tensor room;  // as floats, for as long as it takes
    by = standardization_of(flat(rows.matrix(1, room)));
  }
  const auto feed = [&](const Dataset& pictures, const Features& its_rows, bool trains) {
    const LoaderConfig loader = loader_of(config, pictures, trains);
    return TargetFeed(std::make_unique<Loader>(pictures, loader), teacher.outputs(),
                      teacher.rest ? class_targets(its_rows, *teacher.rest, teacher.temperature, loader.batch)
                                   : feature_targets(its_rows, by));
  };
  TargetFeed pictures = feed(data, rows, true);
  std::optional<TargetFeed> val_pictures;
  if (val) val_pictures.emplace(feed(*val, *val_rows, false));
  return train(student,
               {.train = pictures,
                .val = val_pictures ? &*val_pictures : nullptr,
                .classes = data.classes(),
                .only_loss = true},
               config, observers, std::move(from), stop);
}

}  // namespace enxerto
