#include "enxerto/train/run_folder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/train/fields_json.h"
#include "enxerto/train/tiny_test.h"
#include "enxerto/zoo/model_file.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;
using tests::error_of;
using tests::expect_same_bits;
using tests::Listener;
using tests::tiny_config;
using tests::tiny_data;
using tests::tiny_lists;
using tests::tiny_net;

class RunFolders : public testing::Test {
 protected:
  RunFolders() { fs::create_directories(root); }
  ~RunFolders() override { fs::remove_all(root); }

  RunConfig run_config(const TrainConfig& training) const {
    RunConfig config;
    config.net = "tiny";
    config.image = {1, 12, 12};
    config.data = "/made/of/crosses";
    config.init = "he_normal";
    config.classes = {data->classes().begin(), data->classes().end()};
    config.multi_label = data->multi_label();
    config.train = record_of(*data);
    config.val = record_of(*val);
    config.training = training;
    config.version = "0";
    return config;
  }

  TrainResult start(const std::string& name, const TrainConfig& training, std::vector<Observer*> others = {},
                    const std::atomic<bool>* stop = nullptr) {
    RunFolder run = RunFolder::create(root / name, run_config(training));
    others.push_back(&run);
    net = tiny_net();
    TrainResult result = train(net, *data, val.get(), training, others, {}, stop);
    run.finish(result, {});
    return result;
  }

  TrainResult resume(const std::string& name, std::vector<Observer*> others = {}) {
    RunFolder run = RunFolder::resume(root / name);
    check_same_data(run.folder(), run.config(), *data, val.get(), nullptr);
    auto checkpoint = run.take_checkpoint();
    net = checkpoint ? std::move(checkpoint->graph) : tiny_net();
    others.push_back(&run);
    TrainResult result = train(net, *data, val.get(), run.config().training, others,
                               checkpoint ? std::move(checkpoint->state) : TrainState{});
    run.finish(result, {});
    return result;
  }

  /// The lines of one kind, without what depends on the clock and the machine.
  std::vector<Json> lines(const std::string& name, const std::string& kind) const {
    std::vector<Json> found;
    for (const std::string& line : split(read_text_file(root / name / "log.jsonl"), '\n')) {
      if (line.empty()) continue;
      Json json = Json::parse(line);
      for (const char* key :
           {"seconds", "seconds_waiting", "total_seconds", "images_per_second", "peak_memory_bytes"})
        json.erase(key);
      if (json.at("kind") == kind) found.push_back(json);
    }
    return found;
  }

  const fs::path root = fs::temp_directory_path() / text("enxerto_run_", ::getpid());
  std::shared_ptr<const Dataset> data = tiny_data(), val = tiny_data(10, 2);
  Graph net;
};

TEST_F(RunFolders, PredictionsSayWhatBecameOfEachPictureAndShowTheWorst) {
  RunFolder run = RunFolder::create(root / "judged", run_config(tiny_config()));
  const auto many = tiny_data(40, 3);
  Evaluation evaluation;
  for (std::int64_t i = 0; i < many->size(); ++i)
    evaluation.pictures.push_back({.index = i,
                                   .label = many->label(i),
                                   .predicted = many->label(i),
                                   .loss = 1.0 + static_cast<double>(i)});
  evaluation.pictures[3].predicted = 1 - evaluation.pictures[3].label;  // the only one that is wrong
  evaluation.pictures[3].probability = 0.75;
  run.save_predictions(std::vector<RunFolder::Judged>{{"val", evaluation, *many}});
  std::vector<Json> read;
  for (const std::string& line : split(read_text_file(root / "judged" / "predictions.jsonl"), '\n'))
    if (!line.empty()) read.push_back(Json::parse(line));
  ASSERT_EQ(read.size(), 40u);
  EXPECT_EQ(read[3].at("split"), "val");
  EXPECT_EQ(read[3].at("index"), 3);
  EXPECT_EQ(read[3].at("file"), many->name(3));
  EXPECT_EQ(read[3].at("label"), many->label(3));
  EXPECT_EQ(read[3].at("predicted"), 1 - many->label(3));
  EXPECT_EQ(read[3].at("loss"), 4.0);
  EXPECT_EQ(read[3].at("probability"), 0.75);
  EXPECT_FALSE(read[4].contains("probability"));
  // The one that is wrong, whatever its loss, and the 19 worst of the others.
  for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(read[i].contains("thumbnail"), i == 3 || i > 20) << i;
  EXPECT_EQ(read[3].at("thumbnail_size"), Json({12, 12}));
  EXPECT_TRUE(read[3].at("thumbnail").get<std::string>().starts_with("/9j/")) << "a JPEG";
}

TEST_F(RunFolders, AStoppedRunGoesOnToTheSameBits) {
  for (const OptimizerConfig& optimizer : std::vector<OptimizerConfig>{Momentum{}, Adam{}}) {
    const std::string name(std::visit([](const auto& held) { return held.kind; }, optimizer));
    const TrainConfig config = tiny_config(optimizer);
    const TrainResult straight = start(name, config);
    const NamedTensors wanted = net.state();
    // In the first epoch, in the middle of one, before a validation, and after one (0: at the epoch's end).
    for (const int at : {2, 6, 8, 0}) {
      const std::string stopped = text(name, at);
      std::atomic<bool> stop = false;
      Listener listener;
      listener.step = [&](const StepReport& report) { stop = stop || report.step == at; };
      listener.epoch = [&](const EpochReport& report, const Graph&, const TrainState&) {
        stop = stop || (at == 0 && report.epoch == 2);
        return true;
      };
      EXPECT_EQ(error_of([&] { start(stopped, config, {&listener}, &stop); }).first, ErrorKind::interrupted);
      EXPECT_FALSE(fs::exists(root / stopped / "result.json"));
      const TrainResult result = resume(stopped);
      expect_same_bits(wanted, net.state());
      expect_same_bits(wanted, load_model(root / stopped).graph.state());
      EXPECT_EQ(result.best_epoch, straight.best_epoch);
      EXPECT_EQ(result.best_value, straight.best_value);
      EXPECT_EQ(result.val->loss, straight.val->loss);
      EXPECT_EQ(lines(name, "epoch"), lines(stopped, "epoch")) << stopped;
      EXPECT_EQ(lines(name, "evaluation"), lines(stopped, "evaluation")) << stopped;
    }
  }
}

TEST_F(RunFolders, ARunOnMixedPicturesWithSeveralLabelsGoesOnToTheSameBits) {
  data = tiny_lists();
  val = tiny_lists(10, 2);
  EXPECT_NE(record_of(*data), record_of(*tiny_data()));
  TrainConfig config = tiny_config(Adam{});
  config.loss = BinaryCrossEntropy{};
  config.metric = Metric::val_map;
  config.augment.mixup_alpha = 0.4;
  config.augment.cutmix_alpha = 1;
  start("straight", config);
  const NamedTensors wanted = net.state();
  std::atomic<bool> stop = false;
  Listener listener;
  listener.step = [&](const StepReport& report) { stop = stop || report.step == 6; };
  EXPECT_EQ(error_of([&] { start("stopped", config, {&listener}, &stop); }).first, ErrorKind::interrupted);
  resume("stopped");
  expect_same_bits(wanted, net.state());
  EXPECT_EQ(lines("straight", "epoch"), lines("stopped", "epoch"));
  EXPECT_EQ(lines("straight", "evaluation"), lines("stopped", "evaluation"));
  EXPECT_TRUE(lines("straight", "epoch").front().contains("val_map"));
  EXPECT_TRUE(load_model(root / "stopped").multi_label);
  EXPECT_TRUE(RunFolder::resume(root / "stopped").config().multi_label);
  EXPECT_FALSE(RunConfig{}.to_json().contains("multi_label"));
}

TEST_F(RunFolders, AKilledRunGoesOnFromItsLastCheckpoint) {
  const TrainConfig config = tiny_config();
  start("straight", config);
  const NamedTensors wanted = net.state();
  for (const int at : {1, 7, 16}) {
    const std::string name = text("killed", at);
    Listener listener;
    listener.step = [&](const StepReport& report) {
      if (report.step == at) throw std::runtime_error("as if killed");
    };
    EXPECT_THROW(start(name, config, {&listener}), std::runtime_error);
    std::ofstream(root / name / "log.jsonl", std::ios::app) << "{\"kind\":\"ep";
    resume(name);
    expect_same_bits(wanted, net.state());
    EXPECT_EQ(lines("straight", "epoch"), lines(name, "epoch"));
  }
}

TEST_F(RunFolders, BestWeightsThatWereNotYetWrittenComeFromTheCheckpoint) {
  TrainConfig config = tiny_config();
  start("straight", config);
  const NamedTensors wanted = net.state();
  // Between the checkpoint and model.safetensors of epoch 1, which is always the best so far.
  Listener listener;
  listener.step = [&](const StepReport& report) {
    if (report.step == 5) throw std::runtime_error("as if killed");
  };
  EXPECT_THROW(start("killed", config, {&listener}), std::runtime_error);
  fs::remove(root / "killed" / "model.safetensors");
  resume("killed");
  expect_same_bits(wanted, load_model(root / "killed").graph.state());
}

TEST_F(RunFolders, HasWhatTheFormatPromises) {
  const TrainResult result = start("run", tiny_config());
  const auto config = Json::parse(read_text_file(root / "run" / "config.json"));
  for (const char* key : {"format", "format_version", "version", "chip", "command", "net", "image", "data",
                          "val_fraction", "test_fraction", "split_seed", "weights", "init", "freeze",
                          "threads", "classes", "splits", "training"})
    EXPECT_TRUE(config.contains(key)) << key;
  EXPECT_EQ(RunConfig::from_json(config).to_json(), config);
  EXPECT_EQ(config.at("splits").at("val").at("pictures"), 10);
  EXPECT_TRUE(config.at("splits").at("test").is_null());

  const auto epochs = lines("run", "epoch");
  ASSERT_EQ(epochs.size(), 4u);
  for (const char* key : {"epoch", "step", "lr", "train_loss", "train_top1", "val_loss", "val_top1",
                          "val_top1_interval", "grad_norm", "best", "best_epoch"})
    EXPECT_TRUE(epochs[0].contains(key)) << key;
  EXPECT_GE(lines("run", "step").size(), 1u);
  const auto evaluations = lines("run", "evaluation");
  ASSERT_EQ(evaluations.size(), 1u);
  EXPECT_EQ(evaluations[0].at("split"), "val");
  EXPECT_EQ(evaluations[0].at("confusion").size(), 2u);

  const auto outcome = Json::parse(read_text_file(root / "run" / "result.json"));
  for (const char* key :
       {"run", "net", "classes", "epochs", "best_epoch", "metric", "best_value", "steps", "stopped_early",
        "seconds", "images_per_second", "peak_memory_bytes", "train_loss", "val", "test"})
    EXPECT_TRUE(outcome.contains(key)) << key;
  EXPECT_EQ(outcome.at("val").at("loss").get<double>(), result.best_value);

  const ModelFile model = load_model(root / "run");
  EXPECT_EQ(Preprocess::from_json(model.preprocess), tiny_config().preprocess);
  EXPECT_EQ(model.training.at("epoch"), result.best_epoch);
  EXPECT_EQ(evaluate(model.graph, *val, Preprocess::from_json(model.preprocess), 8).loss, result.best_value);
}

TEST_F(RunFolders, AFinishedRunIsLeftAsItIsByAResume) {
  const TrainResult first = start("run", tiny_config());
  const NamedTensors wanted = net.state();
  const auto epochs = lines("run", "epoch");
  // As after a kill between the last epoch and the result.
  const TrainResult again = resume("run");
  EXPECT_EQ(again.train_loss, first.train_loss);
  EXPECT_EQ(again.best_value, first.best_value);
  expect_same_bits(wanted, net.state());
  EXPECT_EQ(lines("run", "epoch"), epochs);
  EXPECT_EQ(lines("run", "evaluation").size(), 1u);
}

TEST_F(RunFolders, AResumeThatWritesNothingLeavesTheLogAsItIs) {
  start("run", tiny_config());
  const auto log = read_file(root / "run" / "log.jsonl");
  EXPECT_TRUE(RunFolder::resume(root / "run").take_checkpoint());
  EXPECT_EQ(read_file(root / "run" / "log.jsonl"), log);
  fs::remove(root / "run" / "checkpoint.safetensors");
  EXPECT_FALSE(RunFolder::resume(root / "run").take_checkpoint());
  EXPECT_EQ(read_file(root / "run" / "log.jsonl"), log);
}

TEST_F(RunFolders, FinalWeightsOfARunThatEndedAreLeftAsTheyAreByAResume) {
  TrainConfig training = tiny_config();
  training.epochs = 1;  // the best one is the last
  const TrainResult result = start("run", training);
  {
    RunFolder run = RunFolder::resume(root / "run");
    ASSERT_EQ(run.take_checkpoint()->state.best_epoch, 1);
    for (float& w : net.params()[0].value.data()) w *= 2;
    run.save_final(net, result);
    run.finish(result, {});
  }
  const auto bytes = read_file(root / "run" / "model.safetensors");
  RunFolder::resume(root / "run");
  EXPECT_EQ(read_file(root / "run" / "model.safetensors"), bytes);
}

TEST_F(RunFolders, WhatWasFittedAtOnceHasAModelAndNoCheckpoint) {
  RunFolder run = RunFolder::create(root / "run", run_config(tiny_config()));
  const Graph whole = tiny_net();
  Graph features = whole.clone();
  features.cut_after(whole.node(head_of(whole).inputs[0]).name);
  const std::int64_t columns = features.output_shape().size();
  Tensor x({.n = 12, .c = columns});
  Rng rng(1);
  for (float& each : x.data()) each = rng.normal();
  std::vector<std::int32_t> y;
  for (int i = 0; i < 12; ++i) y.push_back(i % 2);
  HeadConfig config;
  config.kind = "tree";
  HeadFit fit = fit_head({x.view(), y, 2}, run.config().classes, config);
  run.set_beside(std::make_shared<FittedHead>(std::move(fit.head)), nullptr);
  EpochReport report{.epoch = 1, .epochs = 1};
  run.on_fitted(report, features, 0.5);
  const ModelFile model = load_model(root / "run");
  ASSERT_TRUE(model.head);
  EXPECT_EQ(model.head->kind, "tree");
  EXPECT_EQ(model.training.at("value"), 0.5);
  EXPECT_EQ(lines("run", "epoch").size(), 1u);
  EXPECT_FALSE(fs::exists(root / "run" / "checkpoint.safetensors"));
}

TEST_F(RunFolders, ANewRunNeverOverwritesAnother) {
  start("run", tiny_config());
  const auto [kind, message] = error_of([&] { start("run", tiny_config()); });
  EXPECT_EQ(kind, ErrorKind::usage);
  EXPECT_NE(message.find("--resume"), std::string::npos);
}

TEST_F(RunFolders, OneAtATimeIsAtWorkInARun) {
  start("run", tiny_config());
  {
    const RunFolder run = RunFolder::resume(root / "run");
    const auto [kind, message] = error_of([&] { RunFolder::resume(root / "run"); });
    EXPECT_EQ(kind, ErrorKind::usage);
    EXPECT_NE(message.find("another process is at work"), std::string::npos) << message;
  }
  write_file(root / "run" / "model.safetensors.partial77", "half of one");
  EXPECT_NO_THROW(RunFolder::resume(root / "run"));
  EXPECT_FALSE(fs::exists(root / "run" / "model.safetensors.partial77"));
}

TEST_F(RunFolders, OtherDataOrAnotherConfigurationAreRefusedAndNamed) {
  start("run", tiny_config());
  const RunConfig began = load_run_config(root / "run");
  const auto said = [&](const Dataset& train_data, const Dataset* val_data) {
    const auto [kind, message] =
        error_of([&] { check_same_data(root / "run", began, train_data, val_data, nullptr); });
    EXPECT_EQ(kind, ErrorKind::usage);
    return message;
  };
  EXPECT_NE(said(*tiny_data(35), val.get()).find("36 pictures in train"), std::string::npos);
  EXPECT_NE(said(*data, nullptr).find("val"), std::string::npos);

  const fs::path path = root / "run" / "config.json";
  Json config = Json::parse(read_text_file(path));
  config["training"]["workers"] = 2;
  write_file(path, config.dump());
  EXPECT_NO_THROW(RunFolder::resume(root / "run"));
  config["training"]["clip_norm"] = 1;
  write_file(path, config.dump());
  const auto [kind, message] = error_of([&] { RunFolder::resume(root / "run"); });
  EXPECT_EQ(kind, ErrorKind::usage);
  EXPECT_NE(message.find("\"clip_norm\" was 5"), std::string::npos) << message;
  config["nonsense"] = 1;
  write_file(path, config.dump());
  EXPECT_EQ(error_of([&] { RunFolder::resume(root / "run"); }).first, ErrorKind::corrupt);
  EXPECT_EQ(error_of([&] { RunFolder::resume(root / "none"); }).first, ErrorKind::not_found);
}

TEST_F(RunFolders, MoreEpochsMayFollowWhereTheRateDoesNotDependOnThem) {
  TrainConfig config = tiny_config();
  config.schedule = {.curve = Schedule::Curve::constant, .base = 0.01};
  start("four", config);
  const NamedTensors wanted = net.state();
  config.epochs = 2;
  start("two", config);
  const fs::path path = root / "two" / "config.json";
  Json json = Json::parse(read_text_file(path));
  json["training"]["epochs"] = 4;
  write_file(path, json.dump());
  resume("two");
  expect_same_bits(wanted, net.state());
}

TEST_F(RunFolders, AFullDiskIsSaidAndTheOldCheckpointStaysWhole) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  std::vector<std::uint8_t> checkpoint;
  Listener listener;
  listener.epoch = [&](const EpochReport& report, const Graph&, const TrainState&) {
    if (report.epoch < 2) return true;
    checkpoint = read_file(root / "run" / "checkpoint.safetensors");
    // A bound on the size of files stands in for the end of the disk: the log still fits.
    const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    return true;
  };
  const auto [kind, message] = error_of([&] { start("run", tiny_config(), {&listener}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(kind, ErrorKind::io);
  EXPECT_NE(message.find("checkpoint.safetensors"), std::string::npos) << message;
  EXPECT_EQ(read_file(root / "run" / "checkpoint.safetensors"), checkpoint);
  EXPECT_EQ(resume("run").epochs, 4);
}

TEST_F(RunFolders, APathThatIsNotUtf8IsSaidBeforeAnythingIsTrained) {
  EXPECT_EQ(error_of([&] { RunFolder::create(root / "lat\xE9", run_config(tiny_config())); }).first,
            ErrorKind::usage);
  EXPECT_FALSE(fs::exists(root / "lat\xE9"));
  start("run", tiny_config());
  fs::rename(root / "run", root / "lat\xE9");
  EXPECT_EQ(error_of([&] { RunFolder::resume(root / "lat\xE9"); }).first, ErrorKind::usage);
}

TEST_F(RunFolders, APlaceThatCannotBeWrittenIsSaidAtOnce) {
  write_file(root / "file", "in the way");
  EXPECT_EQ(error_of([&] { RunFolder::create(root / "file" / "run", run_config(tiny_config())); }).first,
            ErrorKind::io);
}

TEST_F(RunFolders, ADamagedCheckpointIsAnErrorAndNothingWorse) {
  start("run", tiny_config());
  const fs::path path = root / "run" / "checkpoint.safetensors";
  const auto whole = read_file(path);
  const auto write = [&](const std::vector<std::uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  };
  for (std::size_t length = 0; length < whole.size(); length += length < 64 ? 1 : 61) {
    write({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    EXPECT_THROW(RunFolder::resume(root / "run"), Error) << length;
  }
  for (std::size_t at = 0; at < 6000; at += 7) {
    auto flipped = whole;
    flipped[at] = static_cast<std::uint8_t>(flipped[at] ^ (1 << at % 8));
    write(flipped);
    try {
      RunFolder::resume(root / "run");  // a flip in a number may pass
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace enxerto
