// bench_step: how long a training step or an answer of a network takes, and how much memory it needs;
// bench/versus_torch.py holds it against PyTorch. Where the time goes, `enxerto profile` tells.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/train/profile.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::bench {
namespace {

constexpr const char* usage =
    "usage: bench_step NET (train|infer) BATCH [--bf16] [--recompute] [--size PIXELS] [--runs 7] [--threads "
    "2]\n"
    "       bench_step NET (train|infer) BATCH [--bf16] [--recompute] [--size PIXELS] [--threads 2] --serve\n"
    "--serve  answers each line \"go\" with one step and a line {\"seconds\": ...}\n";

struct Options {
  std::string net;
  bool train = false, serve = false, bf16 = false, recompute = false;
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
    else if (word == "--serve")
      made.serve = true;
    else if (word == "--bf16")
      made.bf16 = true;
    else if (word == "--recompute")
      made.recompute = true;
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

StepJob make_job(const Options& options) {
  if (options.bf16) require_bf16();
  std::optional<Shape> image;
  if (options.size) image = {1, find_net(options.net).image.c, *options.size, *options.size};
  Graph graph = make_net(options.net, {.image = image});
  graph.init({}, Rng(1));
  return {std::move(graph),
          {.batch = options.batch,
           .train = options.train,
           .bf16 = options.bf16,
           .recompute = options.recompute ? Recompute::blocks : Recompute::passes}};
}

nlohmann::json describe(const Options& options) {
  return {{"net", options.net},         {"task", options.train ? "train" : "infer"},
          {"batch", options.batch},     {"recompute", options.recompute},
          {"threads", options.threads}, {"chip", chip_name()},
          {"program", "enxerto"},       {"peak_bytes", peak_memory_bytes()}};
}

/// Answers until the input ends. Between two lines it does nothing at all.
void serve(const Options& options, StepJob& job) {
  nlohmann::json ready = describe(options);
  ready["ready"] = true;
  std::cout << ready.dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line != "go") throw Error(ErrorKind::usage, text("\"", line, "\": the only command is go"));
    std::cout << nlohmann::json{{"seconds", job.run()}}.dump() << std::endl;
  }
}

void measure(const Options& options, StepJob& job) {
  for (int i = 0; i < 2; ++i) job.run();
  std::vector<double> seconds;
  for (int i = 0; i < options.runs; ++i) seconds.push_back(job.run());
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2], rate = options.batch / median;
  std::printf("%s %s batch %d: %.4f s, median of %d (%.4f to %.4f), %.2f images/s, peak memory %.0f MB\n",
              options.net.c_str(), options.train ? "train" : "infer", options.batch, median, options.runs,
              seconds.front(), seconds.back(), rate, static_cast<double>(peak_memory_bytes()) / 1e6);
  std::printf("%s, %d threads\n", chip_name().c_str(), options.threads);
}

}  // namespace
}  // namespace enxerto::bench

int main(int count, char** words) {
  using namespace enxerto;
  try {
    const bench::Options options = bench::parse({words + 1, words + count});
    set_threads(options.threads);
    StepJob job = bench::make_job(options);
    options.serve ? bench::serve(options, job) : bench::measure(options, job);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_step: %s\n", error.what());
    return 2;
  }
}
