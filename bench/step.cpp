// bench_step: how long a training step or an answer of a network takes, where the time goes, and how much
// memory it needs. bench/versus_torch.py holds it against PyTorch.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/peak.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/train/loss.h"
#include "enxerto/train/optimizer.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::bench {
namespace {

constexpr const char* usage =
    "usage: bench_step NET (train|infer) BATCH [--size PIXELS] [--runs 7] [--threads 2] [--profile] "
    "[--json]\n"
    "       bench_step NET (train|infer) BATCH [--size PIXELS] [--threads 2] --serve\n"
    "--profile  a table of every layer against the chip's measured peak\n"
    "--json     the same as one JSON object\n"
    "--serve    answers each line \"go\" with one step and a line {\"seconds\": ...}\n";

struct Options {
  std::string net;
  bool train = false, profile = false, json = false, serve = false;
  int batch = 1, runs = 7, threads = 2;
  std::optional<int> size;  ///< the net's own where it is not given
};

int parse_number(const std::string& name, const std::string& given) {
  int number = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), number);
  if (error != std::errc() || end != given.data() + given.size() || number < 1)
    throw Error(ErrorKind::usage, text(name, " ", given, ": must be a number from 1 on"));
  return number;
}

Options parse(const std::vector<std::string>& given) {
  Options made;
  std::vector<std::string> places;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& word = given[i];
    const auto number = [&] {
      if (i + 1 == given.size()) throw Error(ErrorKind::usage, text(word, ": a number is missing"));
      ++i;
      return parse_number(word, given[i]);
    };
    if (word == "--size")
      made.size = number();
    else if (word == "--runs")
      made.runs = number();
    else if (word == "--threads")
      made.threads = number();
    else if (word == "--profile")
      made.profile = true;
    else if (word == "--json")
      made.json = true;
    else if (word == "--serve")
      made.serve = true;
    else if (word.starts_with("-"))
      throw Error(ErrorKind::usage, text(word, ": there is no such option\n", usage));
    else
      places.push_back(word);
  }
  if (places.size() != 3 || (places[1] != "train" && places[1] != "infer"))
    throw Error(ErrorKind::usage, usage);
  made.net = places[0];
  made.train = places[1] == "train";
  made.batch = parse_number("BATCH", places[2]);
  return made;
}

/// A network with a batch of noise, ready to run. The graph itself is gone: only what a step needs stays.
class Job {
 public:
  explicit Job(const Options& options) : executor_(make_executor(options)), train_(options.train) {
    Shape image = find_net(options.net).image;
    if (options.size) image.h = image.w = *options.size;
    Rng rng(2);
    images_ = Tensor({options.batch, image.c, image.h, image.w});
    for (float& each : images_.data()) each = static_cast<float>(rng.normal());
    if (!train_) return;
    const Shape out = executor_.forward(images_.view()).shape;
    doutputs_ = Tensor(out);
    for (int i = 0; i < options.batch; ++i)
      labels_.push_back(static_cast<std::int32_t>(rng.bits() % static_cast<std::uint64_t>(out.c)));
    optimizer_ = make_optimizer(Momentum{}, executor_.updates());
  }

  /// One training step or one answer; seconds.
  double run() {
    const double start = now_seconds();
    const ConstView outputs = executor_.forward(images_.view(), step_++);
    if (train_) {
      cross_entropy({}, outputs, labels_, doutputs_.view());
      executor_.backward(doutputs_.view());
      optimizer_->step(executor_.updates(), 0.01);
    }
    return now_seconds() - start;
  }
  const Executor& executor() const { return executor_; }

 private:
  static Executor make_executor(const Options& options) {
    std::optional<Shape> image;
    if (options.size) image = {1, find_net(options.net).image.c, *options.size, *options.size};
    Graph graph = make_net(options.net, {.image = image});
    graph.init({}, Rng(1));
    return Executor(graph, {.batch = options.batch, .train = options.train});
  }
  Executor executor_;
  bool train_;
  Tensor images_, doutputs_;
  std::vector<std::int32_t> labels_;
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t step_ = 0;
};

/// "a / b / c" of a forward step's layer names forward, data and weights: the part that this step runs.
std::string part_of(const StepProfile& step) {
  const auto first = step.implementation.find(" / ");
  if (first == std::string::npos) return step.implementation;
  return step.backward ? step.implementation.substr(first + 3) : step.implementation.substr(0, first);
}

/// One row for each step of the plan: what the `runs` after `before` took.
nlohmann::json profile_rows(const std::vector<StepProfile>& before, const std::vector<StepProfile>& after,
                            const Peak& peak) {
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const StepProfile& step = after[i];
    const double seconds =
        (step.seconds - before[i].seconds) / static_cast<double>(step.runs - before[i].runs);
    const double gflops = 2e-9 * static_cast<double>(step.multiply_adds) / seconds;
    rows.push_back({{"node", step.node},
                    {"kind", step.kind},
                    {"direction", step.backward ? "backward" : "forward"},
                    {"implementation", part_of(step)},
                    {"ms", seconds * 1e3},
                    {"gflops", gflops},
                    {"share_of_peak", gflops / peak.gflops}});
  }
  return rows;
}

void print_rows(const nlohmann::json& rows) {
  double total = 0;
  std::map<std::string, std::pair<double, double>> kinds;  // ms and GFLOP
  std::size_t widest = 4;
  for (const auto& row : rows) {
    const double ms = row["ms"];
    total += ms;
    auto& sums = kinds[row["kind"].get<std::string>() + " " + row["direction"].get<std::string>()];
    sums.first += ms;
    sums.second += row["gflops"].get<double>() * ms * 1e-3;
    widest = std::max(widest, row["node"].get<std::string>().size());
  }
  const int width = static_cast<int>(widest);
  std::printf("\n%-*s %-15s %-8s %9s %6s %9s %6s  %s\n", width, "node", "kind", "", "ms", "time", "GFLOP/s",
              "peak", "implementation");
  for (const auto& row : rows) {
    const double ms = row["ms"], gflops = row["gflops"], share = row["share_of_peak"];
    std::printf("%-*s %-15s %-8s %9.3f %5.1f%%", width, row["node"].get<std::string>().c_str(),
                row["kind"].get<std::string>().c_str(), row["direction"].get<std::string>().c_str(), ms,
                100 * ms / total);
    if (gflops > 0)
      std::printf(" %9.1f %5.0f%%", gflops, 100 * share);
    else
      std::printf(" %9s %6s", "", "");
    std::printf("  %s\n", row["implementation"].get<std::string>().c_str());
  }
  std::printf("\n");
  for (const auto& [kind, sums] : kinds)
    std::printf("%-30s %9.3f ms %5.1f%% %9.1f GFLOP/s\n", kind.c_str(), sums.first, 100 * sums.first / total,
                sums.second / (sums.first * 1e-3));
}

nlohmann::json describe(const Options& options) {
  return {{"net", options.net},
          {"task", options.train ? "train" : "infer"},
          {"batch", options.batch},
          {"threads", options.threads},
          {"chip", chip_name()},
          {"program", "enxerto"},
          {"peak_bytes", peak_memory_bytes()}};
}

/// Answers until the input ends. Between two lines it does nothing at all.
void serve(const Options& options, Job& job) {
  nlohmann::json ready = describe(options);
  ready["ready"] = true;
  std::cout << ready.dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line != "go") throw Error(ErrorKind::usage, text("\"", line, "\": the only command is go"));
    std::cout << nlohmann::json{{"seconds", job.run()}}.dump() << std::endl;
  }
}

void measure(const Options& options, Job& job) {
  for (int i = 0; i < 2; ++i) job.run();
  const std::vector<StepProfile> before = job.executor().profile();
  std::vector<double> seconds;
  for (int i = 0; i < options.runs; ++i) seconds.push_back(job.run());
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2], rate = options.batch / median;
  nlohmann::json result = describe(options);
  result["seconds"] = median;
  result["images_per_second"] = rate;
  result["all_seconds"] = seconds;
  result["arena_bytes"] = job.executor().memory_bytes();
  result["param_bytes"] = job.executor().param_bytes();
  Peak peak;
  if (options.profile) {
    const std::vector<StepProfile> after = job.executor().profile();
    peak = measure_peak(options.threads);
    result["peak"] = {{"instructions", peak.instructions}, {"gflops", peak.gflops}, {"gbytes", peak.gbytes}};
    result["profile"] = profile_rows(before, after, peak);
  }
  if (options.json) {
    std::printf("%s\n", result.dump(2).c_str());
    return;
  }
  std::printf("%s %s batch %d: %.4f s, median of %d (%.4f to %.4f), %.2f images/s, peak memory %.0f MB\n",
              options.net.c_str(), options.train ? "train" : "infer", options.batch, median, options.runs,
              seconds.front(), seconds.back(), rate, result["peak_bytes"].get<double>() / 1e6);
  std::printf("%s, %d threads\n", chip_name().c_str(), options.threads);
  if (!options.profile) return;
  std::printf("measured peak: %.0f GFLOP/s (fp32 FMA, %s), %.1f GB/s\n", peak.gflops,
              peak.instructions.c_str(), peak.gbytes);
  print_rows(result["profile"]);
}

}  // namespace
}  // namespace enxerto::bench

int main(int count, char** words) {
  using namespace enxerto;
  try {
    const bench::Options options = bench::parse({words + 1, words + count});
    set_threads(options.threads);
    bench::Job job(options);
    options.serve ? bench::serve(options, job) : bench::measure(options, job);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_step: %s\n", error.what());
    return 2;
  }
}
