#include "enxerto/report/run_record.h"

#include <gtest/gtest.h>

#include <chrono>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/report/runs_for_tests.h"

namespace enxerto {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> shapes = {"circle", "cross", "square"};

/// The kind of the Error that loading throws, and its text, which has to name `file`.
ErrorKind kind_of_failure(const RunForTests& run, const char* file) {
  try {
    load_run(run.folder());
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find((run.folder() / file).string()), std::string::npos)
        << error.what();
    return error.kind();
  }
  ADD_FAILURE() << "no Error";
  return ErrorKind::usage;
}

TEST(RunRecord, ReadsAFinishedRun) {
  const RunForTests folder;
  write_finished(folder, shapes);
  const RunRecord run = load_run(folder.folder());
  EXPECT_EQ(run.outcome, Outcome::finished);
  EXPECT_EQ(run.classes, shapes);
  EXPECT_EQ(run.steps.size(), 6u);
  EXPECT_DOUBLE_EQ(run.steps[2].at, 1.5);
  EXPECT_EQ(run.epochs.size(), 3u);
  EXPECT_EQ(run.epochs_done, 3);
  EXPECT_EQ(run.steps_done, 6);
  ASSERT_TRUE(run.best && run.val && !run.test);
  EXPECT_EQ(run.best->epoch, 3);
  EXPECT_EQ(run.val->n, 30);
  EXPECT_EQ(run.val->count(0, 1), 2);
  EXPECT_EQ(run.seconds, 12.5);
  EXPECT_EQ(run.peak_memory_bytes, 2 << 20);
}

TEST(RunRecord, WithoutAResultTheRunIsRunningOrInterruptedByTheAgeOfItsLog) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  folder.write("log.jsonl", log_for_tests(2));
  EXPECT_EQ(load_run(folder.folder()).outcome, Outcome::running);
  fs::last_write_time(folder.folder() / "log.jsonl",
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  const RunRecord run = load_run(folder.folder());
  EXPECT_EQ(run.outcome, Outcome::interrupted);
  EXPECT_NEAR(static_cast<double>(run.seconds_quiet), 7200, 60);
}

TEST(RunRecord, ACheckpointAfterTheLastStepIsOfARunThatWasToldToStop) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  const std::string step = R"({"kind":"step","epoch":3,"step":5,"step_in_epoch":1,"steps_per_epoch":2})";
  folder.write("log.jsonl", log_for_tests(2) + step + "\n");
  folder.write("checkpoint.safetensors", "");
  const fs::path checkpoint = folder.folder() / "checkpoint.safetensors";
  const auto logged = fs::last_write_time(folder.folder() / "log.jsonl");
  fs::last_write_time(checkpoint, logged - std::chrono::seconds(1));
  EXPECT_EQ(load_run(folder.folder()).outcome, Outcome::running);
  fs::last_write_time(checkpoint, logged + std::chrono::milliseconds(1));
  EXPECT_EQ(load_run(folder.folder()).outcome, Outcome::interrupted);
}

TEST(RunRecord, ALossThatIsNotFiniteOrALineThatSaysSoIsADivergedRun) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  folder.write("log.jsonl", log_for_tests(1) + R"({"kind":"epoch","epoch":2,"train_loss":null})" + "\n");
  EXPECT_EQ(load_run(folder.folder()).outcome, Outcome::diverged);
  folder.write("log.jsonl", log_for_tests(1) + R"({"kind":"diverged","message":"conv2"})" + "\n");
  EXPECT_EQ(load_run(folder.folder()).outcome, Outcome::diverged);
  EXPECT_EQ(load_run(folder.folder()).message, "conv2");
}

TEST(RunRecord, TheLogMayBeCutOffAnywhere) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  const std::string log = log_for_tests(1);
  for (std::size_t size = 0; size <= log.size(); ++size) {
    folder.write("log.jsonl", log.substr(0, size));
    const RunRecord run = load_run(folder.folder());
    EXPECT_EQ(run.unread_lines, 0) << size;
    EXPECT_LE(run.steps.size(), 2u) << size;
    EXPECT_EQ(run.epochs_done, size + 1 >= log.size() ? 1 : 0) << size;
  }
}

TEST(RunRecord, FlippedBitsOfALogNeverThrow) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  const std::string log = log_for_tests(1);
  for (std::size_t at = 0; at < log.size(); ++at) {
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    folder.write("log.jsonl", damaged);
    EXPECT_NO_THROW(load_run(folder.folder())) << at;
  }
}

TEST(RunRecord, DamagedLinesInTheMiddleAreCountedAndPassedOver) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  folder.write("log.jsonl", "{\"kind\": \n[1]\n\n" + std::string(100000, '[') + "\n" +
                                std::string(5u << 20, 'x') + "\n{\"kind\":\"something new\"}\n" +
                                log_for_tests(1));
  const RunRecord run = load_run(folder.folder());
  EXPECT_EQ(run.unread_lines, 4);
  EXPECT_EQ(run.epochs_done, 1);
}

TEST(RunRecord, NumbersThatMakeNoSenseAreLeftOut) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  folder.write(
      "log.jsonl",
      R"({"kind":"epoch","epoch":1,"train_loss":"x","val_top1":7,"val_top1_interval":[0.9,0.1],"seconds":-3,)"
      R"("total_seconds":1e300,"step":-5,"best":1})"
      "\n"
      R"({"kind":"epoch","epoch":1e99,"train_loss":1e999})"
      "\n"
      R"({"kind":"step","epoch":1,"step":1,"step_in_epoch":9,"steps_per_epoch":2,"loss":1})"
      "\n");
  const RunRecord run = load_run(folder.folder());
  ASSERT_EQ(run.epochs.size(), 1u);
  EXPECT_FALSE(run.epochs[0].train_loss || run.epochs[0].val_top1 || run.epochs[0].val_top1_interval);
  EXPECT_FALSE(run.seconds || run.best);
  EXPECT_EQ(run.steps_done, 1);
  EXPECT_TRUE(run.steps.empty());
  EXPECT_EQ(run.unread_lines, 1);  // 1e999 is more than a number holds
}

TEST(RunRecord, AMatrixThatDoesNotFitTheClassesIsLeftOut) {
  const RunForTests folder;
  write_finished(folder, shapes);
  nlohmann::json evaluation = evaluation_for_tests(shapes, 10, 2);
  evaluation["kind"] = "evaluation";
  evaluation["split"] = "test";
  evaluation["confusion"][1].erase(0);
  folder.write("log.jsonl", evaluation.dump() + "\n");
  const RunRecord run = load_run(folder.folder());
  ASSERT_TRUE(run.test);
  EXPECT_EQ(run.test->classes.size(), 3u);
  EXPECT_TRUE(run.test->confusion.empty());
}

TEST(RunRecord, VeryManyLinesAreThinnedOutEvenly) {
  const RunForTests folder;
  folder.write("config.json", config_for_tests(shapes).dump());
  std::string log;
  for (int i = 1; i <= 20000; ++i)
    log += text(R"({"kind":"step","epoch":)", i, R"(,"step":)", i,
                R"(,"step_in_epoch":1,"steps_per_epoch":1})", "\n");
  folder.write("log.jsonl", log);
  const RunRecord run = load_run(folder.folder());
  EXPECT_EQ(run.steps_done, 20000);
  ASSERT_GT(run.steps.size(), 2000u);
  ASSERT_LT(run.steps.size(), 4096u);
  for (std::size_t i = 1; i < run.steps.size(); ++i)
    ASSERT_EQ(run.steps[i].at - run.steps[i - 1].at, run.steps[1].at - run.steps[0].at) << i;
}

TEST(RunRecord, AMissingOrDamagedFileIsAnErrorThatNamesIt) {
  const RunForTests folder;
  EXPECT_EQ(kind_of_failure(folder, "config.json"), ErrorKind::not_found);
  folder.write("config.json", "[1, 2]");
  EXPECT_EQ(kind_of_failure(folder, "config.json"), ErrorKind::corrupt);
  folder.write("config.json", std::string(1u << 20, '['));
  EXPECT_EQ(kind_of_failure(folder, "config.json"), ErrorKind::corrupt);
  folder.write("config.json", R"({"format_version": 2})");
  EXPECT_EQ(kind_of_failure(folder, "config.json"), ErrorKind::unsupported);
  folder.write("config.json", "{}");
  folder.write("result.json", "{\"epochs\": ");
  EXPECT_EQ(kind_of_failure(folder, "result.json"), ErrorKind::corrupt);
  fs::resize_file(folder.folder() / "result.json", 65u << 20);
  EXPECT_EQ(kind_of_failure(folder, "result.json"), ErrorKind::unsupported);
}

}  // namespace
}  // namespace enxerto
