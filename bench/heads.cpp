// How fast are the linear heads?
// usage: bench_heads make FOLDER [--rows N] [--columns N] [--classes N] [--seed N]
//        bench_heads (logistic|svm|crammer_singer|logistic_path|svm_path) FOLDER [--c C] [--raw] [--threads
//        N]
//                    [--tolerance X] [--l1 RATIO] [--strengths N] [--folds N]
// make: writes features.npy, labels.npy and test_features.npy, test_labels.npy (a fifth of the rows). The
// features have what those of a network have: class centres and within-class variation in a space of 200
// dimensions whose spectrum falls like 1 / sqrt(i), mixed into all columns, noise of each column's own, a
// threshold and ReLU (about two thirds zeros), and columns whose scales differ (log-normal). The others print
// one line of JSON.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/heads/path.h"
#include "enxerto/weights/npy.h"

namespace {

using namespace enxerto;

struct Arguments {
  std::string task;
  std::filesystem::path folder;
  std::int64_t rows = 5000, columns = 25088;
  int classes = 10, threads = 2, strengths = 10, folds = 5;
  std::uint64_t seed = 1;
  double c = 1, tolerance = 1e-4, l1 = 0;
  bool raw = false;
};

Arguments parse(int count, char** arguments) {
  Arguments out;
  if (count < 3) throw Error(ErrorKind::usage, "usage: bench_heads TASK FOLDER [options]");
  out.task = arguments[1];
  out.folder = arguments[2];
  for (int i = 3; i < count; ++i) {
    const std::string flag = arguments[i];
    if (flag == "--raw") {
      out.raw = true;
      continue;
    }
    if (++i == count) throw Error(ErrorKind::usage, flag + " needs a value");
    const double value = std::atof(arguments[i]);
    if (flag == "--rows")
      out.rows = static_cast<std::int64_t>(value);
    else if (flag == "--columns")
      out.columns = static_cast<std::int64_t>(value);
    else if (flag == "--classes")
      out.classes = static_cast<int>(value);
    else if (flag == "--threads")
      out.threads = static_cast<int>(value);
    else if (flag == "--seed")
      out.seed = static_cast<std::uint64_t>(value);
    else if (flag == "--c")
      out.c = value;
    else if (flag == "--tolerance")
      out.tolerance = value;
    else if (flag == "--l1")
      out.l1 = value;
    else if (flag == "--strengths")
      out.strengths = static_cast<int>(value);
    else if (flag == "--folds")
      out.folds = static_cast<int>(value);
    else
      throw Error(ErrorKind::usage, "there is no " + flag);
  }
  return out;
}

constexpr std::int64_t latent = 200;

void make(const Arguments& arguments) {
  const std::int64_t columns = arguments.columns, train = arguments.rows, all = train + train / 5;
  const Rng root(arguments.seed);
  std::vector<float> spread(latent), mix(static_cast<std::size_t>(latent * columns)), column_scale;
  double power = 0;
  for (std::int64_t i = 0; i < latent; ++i) {
    spread[static_cast<std::size_t>(i)] = 1 / std::sqrt(static_cast<float>(i + 1));
    power += 1.0 / static_cast<double>(i + 1);
  }
  Rng rng = root.child(1);
  for (float& each : mix) each = rng.normal() / static_cast<float>(std::sqrt(power));
  for (std::int64_t j = 0; j < columns; ++j) column_scale.push_back(std::exp(0.5f * rng.normal()));
  std::vector<float> centres(static_cast<std::size_t>(arguments.classes * latent));
  for (float& each : centres) each = 0.3f * rng.normal();
  std::vector<float> x(static_cast<std::size_t>(all * columns));
  std::vector<std::int64_t> y(static_cast<std::size_t>(all));
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < all; ++i) {
    Rng own = root.child(2, static_cast<std::uint64_t>(i));
    const auto label = static_cast<std::int64_t>(own.below(static_cast<std::uint64_t>(arguments.classes)));
    y[static_cast<std::size_t>(i)] = label;
    float* const row = x.data() + i * columns;
    for (std::int64_t j = 0; j < columns; ++j) row[j] = 0.6f * own.normal() - 0.5f;
    for (std::int64_t l = 0; l < latent; ++l) {
      const auto at = static_cast<std::size_t>(l);
      const float z = spread[at] * (own.normal() + centres[static_cast<std::size_t>(label * latent + l)]);
      const float* const by = mix.data() + l * columns;
      for (std::int64_t j = 0; j < columns; ++j) row[j] += z * by[j];
    }
    for (std::int64_t j = 0; j < columns; ++j)
      row[j] = row[j] > 0 ? row[j] * column_scale[static_cast<std::size_t>(j)] : 0.0f;
  }
  std::filesystem::create_directories(arguments.folder);
  const std::span<const float> features(x);
  const std::span<const std::int64_t> labels(y);
  const auto split = static_cast<std::size_t>(train);
  save_npy(arguments.folder / "features.npy", {train, columns},
           features.first(split * static_cast<std::size_t>(columns)));
  save_npy(arguments.folder / "labels.npy", {train}, labels.first(split));
  save_npy(arguments.folder / "test_features.npy", {all - train, columns},
           features.subspan(split * static_cast<std::size_t>(columns)));
  save_npy(arguments.folder / "test_labels.npy", {all - train}, labels.subspan(split));
}

/// The float32 array of a .npy file, straight into its place: the library's reader holds the file beside it,
/// which would hide what fitting takes.
Tensor read_floats(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  char start[10] = {};
  file.read(start, sizeof start);
  std::string header(static_cast<unsigned char>(start[8]) + 256u * static_cast<unsigned char>(start[9]), ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  long long n = 0, c = 0;
  const std::size_t at = header.find("'shape': (");
  if (!file || at == std::string::npos ||
      std::sscanf(header.c_str() + at, "'shape': (%lld, %lld)", &n, &c) != 2)
    throw Error(ErrorKind::corrupt, path.string() + ": not what `bench_heads make` writes");
  Tensor made = Tensor::untouched({.n = n, .c = c});
  file.read(reinterpret_cast<char*>(made.data().data()),
            static_cast<std::streamsize>(made.data().size_bytes()));
  if (!file) throw Error(ErrorKind::corrupt, path.string() + ": ends early");
  return made;
}

/// Features and labels from the folder; reading them is not what is measured.
struct Data {
  Data(const std::filesystem::path& folder, const std::string& prefix, int count)
      : features(read_floats(folder / (prefix + "features.npy"))), classes(count) {
    for (const std::int64_t each : load_npy_integers(folder / (prefix + "labels.npy")).values)
      labels.push_back(static_cast<std::int32_t>(each));
  }
  Rows rows() const { return {features.view(), labels, classes}; }
  Tensor features;
  std::vector<std::int32_t> labels;
  int classes;
};

nlohmann::json report(const LinearFit& fit) {
  return {{"objective", fit.objective},
          {"gap", fit.gap},
          {"iterations", fit.iterations},
          {"seconds", fit.seconds},
          {"converged", fit.converged}};
}

nlohmann::json report(const PathResult& path) {
  nlohmann::json made = report(path.fit);
  made["seconds"] = path.seconds;
  made["best"] = path.best;
  made["gram"] = path.gram;
  for (const PathStep& step : path.steps)
    made["steps"].push_back({{"c", step.strength}, {"accuracy", step.mean}});
  return made;
}

nlohmann::json run(const Arguments& arguments) {
  const Data train(arguments.folder, "", arguments.classes);
  const std::int64_t before = peak_memory_bytes();
  LogisticConfig logistic;
  logistic.strength = arguments.c;
  logistic.l1_ratio = arguments.l1;
  logistic.standardize = !arguments.raw;
  logistic.tolerance = arguments.tolerance;
  SvmConfig svm;
  svm.strength = arguments.c;
  svm.standardize = !arguments.raw;
  svm.tolerance = arguments.tolerance;
  svm.multi_class = arguments.task == "crammer_singer" ? MultiClass::crammer_singer : MultiClass::one_vs_rest;
  PathConfig path;
  path.strengths = PathConfig::strengths_between(1e-4, 1e4, arguments.strengths);
  path.folds = arguments.folds;
  nlohmann::json made;
  LinearHead head;
  const std::clock_t began = std::clock();
  const auto take = [&](auto result) {
    made = report(result);
    if constexpr (requires { result.fit; })
      head = std::move(result.fit.head);
    else
      head = std::move(result.head);
  };
  if (arguments.task == "logistic")
    take(fit_logistic(train.rows(), logistic));
  else if (arguments.task == "svm" || arguments.task == "crammer_singer")
    take(fit_svm(train.rows(), svm));
  else if (arguments.task == "logistic_path")
    take(fit_logistic_path(train.rows(), logistic, path));
  else if (arguments.task == "svm_path")
    take(fit_svm_path(train.rows(), svm, path));
  else
    throw Error(ErrorKind::usage, "there is no task " + arguments.task);
  made["cpu_seconds"] = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  const auto bytes = static_cast<std::int64_t>(train.features.data().size_bytes());
  made["feature_bytes"] = bytes;
  // What reading the file took at most is gone by then, so where it was more than fitting takes this is an
  // upper bound.
  made["peak_memory_bytes"] = peak_memory_bytes();
  made["peak_memory_before_bytes"] = before;
  made["train_accuracy"] = head.accuracy(train.rows());
  made["test_accuracy"] = head.accuracy(Data(arguments.folder, "test_", arguments.classes).rows());
  return made;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const Arguments parsed = parse(count, arguments);
    set_threads(parsed.threads);
    if (parsed.task == "make") {
      make(parsed);
      return 0;
    }
    nlohmann::json made = run(parsed);
    made["task"] = parsed.task;
    made["threads"] = parsed.threads;
    made["c"] = parsed.c;
    std::puts(made.dump().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
