/// The run folder: all that training and reporting know of each other (docs/formats/run-folder.md).
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enxerto/core/lock.h"
#include "enxerto/train/trainer.h"

namespace enxerto {

/// What identifies a dataset: how many pictures, which classes, and a digest of the order of names and
/// labels (last two parts of each name, so that a folder may move).
struct DataRecord {
  std::int64_t pictures = 0;
  std::string digest;  ///< 16 hexadecimal digits
  friend bool operator==(const DataRecord&, const DataRecord&) = default;
};
DataRecord record_of(const Dataset& data);

/// config.json: what it takes to start the same run again.
struct RunConfig {
  std::string net;                             ///< name in the zoo
  std::vector<int> image;                      ///< {c, h, w} of the network's input
  std::string data;                            ///< the path, absolute
  double val_fraction = 0, test_fraction = 0;  ///< held back from train where the data has no such split
  std::uint64_t split_seed = 0;                ///< of that
  bool val_as_test = false;                    ///< with_val_as_test() came before
  std::string weights;                         ///< file that the network started from; empty: from `init`
  std::string init;                            ///< as parse_init() takes it
  std::vector<std::string> freeze;             ///< prefixes
  int threads = 0;                             ///< that it ran with
  std::vector<std::string> classes;
  bool multi_label = false;  ///< a picture may have several labels
  DataRecord train;
  std::optional<DataRecord> val, test;
  TrainConfig training;
  /// How `enxerto fit` came to it: recipe, cut, head (docs/formats/run-folder.md). An object; null: it did
  /// not.
  nlohmann::json transfer = nullptr;
  /// How `enxerto distill` came to it: teacher, cut, what is matched. An object; null: it did not.
  nlohmann::json distill = nullptr;
  /// Whether the outputs are classes, and not another network's features. `classes` names them in any case.
  bool gives_classes() const;
  std::string command;        ///< that starts it again, for people; may be empty
  std::string chip, version;  ///< for people: set by RunFolder::create()
  nlohmann::json to_json() const;
  static RunConfig from_json(const nlohmann::json& json);  ///< strict: Error{corrupt}
};

/// config.json of a run. Throws Error that names the file.
RunConfig load_run_config(const std::filesystem::path& folder);

/// Throws Error{usage} that names the run's folder and says in what the data of now differ from those that it
/// began with.
void check_same_data(const std::filesystem::path& run, const RunConfig& config, const Dataset& train,
                     const Dataset* val, const Dataset* test);

/// Writes a run: config.json at once, a line of log.jsonl for each epoch and now and then a step,
/// model.safetensors at each best epoch, checkpoint.safetensors after each epoch and on interrupt.
/// Whenever the process is killed each file is whole (the log but for its last line) and a resume goes on
/// from the last checkpoint.
class RunFolder final : public Observer {
 public:
  /// A new one. Error: usage where the folder holds a run, another process is at work in it or its path is no
  /// UTF-8, io where it cannot be written.
  static RunFolder create(const std::filesystem::path& folder, RunConfig config);
  /// One that goes on. The log is cut back to what the checkpoint knows when its next line is written; until
  /// then it stays as it is, for there may be nothing to go on with. Error: not_found, corrupt; usage where
  /// config.json no longer says what the checkpoint was written under (the number of workers may differ, and
  /// the epochs where the rate does not depend on them), or where another process is at work in the folder.
  static RunFolder resume(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const RunConfig& config() const { return config_; }

  /// After resume(): the network and the place to go on from, moved out. Where the run was stopped before
  /// its first checkpoint there is none: the run starts again from config().
  struct Checkpoint {
    Graph graph;
    TrainState state = {};
  };
  std::optional<Checkpoint> take_checkpoint() { return std::exchange(checkpoint_, std::nullopt); }

  void on_start(const RunStart& start) override;  ///< a line of what it is going to take
  void on_step(const StepReport& report) override;
  bool on_epoch(const EpochReport& report, const Graph& graph, const TrainState& state) override;
  void on_interrupt(const Graph& graph, const TrainState& state) override;

  /// A network that was fitted all at once: a line as of an epoch, and the model. There is no checkpoint, for
  /// there is nothing to go on from.
  void on_fitted(const EpochReport& report, const Graph& graph, double value);
  /// What models that are saved from now on have beside their network, as ModelFile has it.
  void set_beside(std::shared_ptr<const FittedHead> head, std::shared_ptr<const Novelty> novelty);

  /// A line of kind "evaluation": split is "val" or "test".
  void log_evaluation(std::string_view split, const Evaluation& evaluation);
  /// A line of kind "diverged", the last thing of a run that ended so.
  void log_diverged(std::string_view message);
  /// Writes predictions.jsonl: what became of each picture, and small versions of those that are worth a look
  /// (at most 20 a split). Pictures that cannot be read have none.
  struct Judged {
    std::string_view split;  ///< "val" or "test"
    const Evaluation& evaluation;
    const Dataset& data;
  };
  void save_predictions(std::span<const Judged> splits) const;
  /// Writes result.json, the last thing of a run, and gives it back: the keys of `enxerto train --json`, and
  /// `more`, an object, under "transfer" where it is not null.
  nlohmann::json finish(const TrainResult& result, const std::optional<Evaluation>& test,
                        const nlohmann::json& more = nullptr);
  /// The model as it stands is to have these weights: model.safetensors is written anew.
  void save_final(const Graph& graph, const TrainResult& result);

 private:
  RunFolder(std::filesystem::path folder, RunConfig config);
  void log(const nlohmann::json& line);
  void save_checkpoint(const Graph& graph, const TrainState& state);
  std::uint64_t load_checkpoint();  ///< the length of the log then
  void open_log();                  ///< cut to log_bytes_
  void lock();
  void save_best(const Graph& graph, int epoch, double value);
  bool ended_at(int epoch) const;

  std::filesystem::path folder_;
  RunConfig config_;
  std::optional<Lock> lock_;  ///< of the folder, as long as this lives
  std::ofstream log_;
  std::uint64_t log_bytes_ = 0;
  double last_step_line_ = 0;
  std::optional<Checkpoint> checkpoint_;
  std::shared_ptr<const FittedHead> head_;
  std::shared_ptr<const Novelty> novelty_;
};

}  // namespace enxerto
