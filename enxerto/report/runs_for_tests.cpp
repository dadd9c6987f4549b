#include "enxerto/report/runs_for_tests.h"

#include <unistd.h>

#include <fstream>

#include "enxerto/core/file.h"
#include "enxerto/core/text.h"

namespace enxerto {

using Json = nlohmann::json;

RunForTests::RunForTests() {
  static int made = 0;
  folder_ = std::filesystem::temp_directory_path() / text("enxerto_report_", ::getpid(), "_", made++);
  make_folder(folder_);
}

RunForTests::~RunForTests() {
  std::error_code code;
  std::filesystem::remove_all(folder_, code);
}

void RunForTests::write(const char* name, const std::string& content) const {
  // Not write_file(): the tests write thousands of files, none worth a flush to the disk.
  std::ofstream(folder_ / name, std::ios::binary) << content;
}

std::string RunForTests::read(const char* name) const { return read_text_file(folder_ / name); }

Json config_for_tests(const std::vector<std::string>& classes) {
  const Json split{{"pictures", 60}, {"digest", "0123456789abcdef"}};
  return {{"format", "enxerto-run"},
          {"format_version", 1},
          {"version", "0.1.0"},
          {"chip", "A Chip"},
          {"net", "lecture3"},
          {"image", {3, 96, 96}},
          {"data", "/data/shapes"},
          {"weights", ""},
          {"init", "he_normal"},
          {"threads", 2},
          {"classes", classes},
          {"splits", {{"train", split}, {"val", split}, {"test", nullptr}}},
          {"training",
           {{"epochs", 3},
            {"batch", 16},
            {"seed", 7},
            {"optimizer", {{"kind", "adam"}, {"beta1", 0.5}}},
            {"metric", "val_top1"},
            {"patience", 2}}}};
}

Json evaluation_for_tests(const std::vector<std::string>& classes, int n, int missed) {
  const std::size_t c = classes.size();
  std::vector<std::vector<int>> confusion(c, std::vector<int>(c, 0));
  Json rows = Json::array();
  const double recall = 1 - static_cast<double>(missed) / n;
  for (std::size_t i = 0; i < c; ++i) {
    confusion[i][i] += n - missed;
    confusion[i][(i + 1) % c] += missed;
    rows.push_back({{"class", classes[i]},
                    {"n", n},
                    {"predicted", n},
                    {"right", n - missed},
                    {"precision", recall},
                    {"recall", recall},
                    {"f1", recall}});
  }
  return {{"n", n * static_cast<int>(c)},
          {"top1", recall},
          {"top1_interval", {0.7, 0.9}},
          {"loss", 0.5},
          {"per_class", rows},
          {"classes", classes},
          {"confusion", confusion}};
}

std::string log_for_tests(int epochs) {
  std::string log;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    for (int step = 1; step <= 2; ++step)
      log += Json{{"kind", "step"},
                  {"epoch", epoch},
                  {"step", 2 * epoch - 2 + step},
                  {"step_in_epoch", step},
                  {"steps_per_epoch", 2},
                  {"loss", 1.0 / epoch},
                  {"lr", 0.01},
                  {"grad_norm", 1.5},
                  {"seconds", epoch},
                  {"images_per_second", 100},
                  {"peak_memory_bytes", 1 << 20}}
                 .dump() +
             "\n";
    log += Json{{"kind", "epoch"},
                {"epoch", epoch},
                {"step", 2 * epoch},
                {"lr", 0.01},
                {"train_loss", 1.0 / epoch},
                {"train_top1", 0.5},
                {"val_loss", 1.1 / epoch},
                {"val_top1", 0.2 * epoch},
                {"val_top1_interval", {0.1 * epoch, 0.25 * epoch}},
                {"seconds", 1},
                {"total_seconds", epoch},
                {"best", true},
                {"best_epoch", epoch}}
               .dump() +
           "\n";
  }
  return log;
}

Json result_for_tests(const std::vector<std::string>& classes, int epochs) {
  return {{"epochs", epochs},
          {"best_epoch", epochs},
          {"metric", "val_top1"},
          {"steps", 2 * epochs},
          {"stopped_early", false},
          {"seconds", 12.5},
          {"images_per_second", 123.4},
          {"peak_memory_bytes", 2 << 20},
          {"val", evaluation_for_tests(classes, 10, 2)},
          {"test", nullptr}};
}

void write_finished(const RunForTests& run, const std::vector<std::string>& classes) {
  run.write("config.json", config_for_tests(classes).dump(2));
  Json evaluation = evaluation_for_tests(classes, 10, 2);
  evaluation["kind"] = "evaluation";
  evaluation["split"] = "val";
  run.write("log.jsonl", log_for_tests(3) + evaluation.dump() + "\n");
  run.write("result.json", result_for_tests(classes, 3).dump(2));
}

}  // namespace enxerto
