// enxerto head: a head alone, on rows of features.
#include "enxerto/heads/head.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/numbers.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/train/metrics.h"
#include "enxerto/weights/npy.h"
#include "enxerto/weights/safetensors.h"

namespace enxerto::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct HeadFlags {
  Common common;
  std::string features, labels, out, class_weight, standardize = "auto", multi_class = "one-vs-rest",
                                                   metric = "euclidean", vote = "uniform";
  std::vector<std::string> test;
  double c = 0;
  bool has_c = false;
  HeadConfig config;
};

/// The labels of a file: whole numbers, of whatever type.
std::vector<std::int64_t> load_labels(const std::string& file) {
  try {
    NpyArray<std::int64_t> found = load_npy_integers(file);
    return std::move(found.values);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
  }
  NpyArray<float> found;
  try {
    found = load_npy_floats(file);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    throw Error(ErrorKind::unsupported,
                text(file,
                     ": labels are int64, int32, uint8, float32 or float64; save them with "
                     "numpy.asarray(labels, dtype=numpy.int64)"));
  }
  std::vector<std::int64_t> made;
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    const float value = found.values[i];
    if (!(std::abs(value) <= 0x1p24f) || value != std::floor(value))
      throw Error(ErrorKind::corrupt,
                  text(file, ": label ", i, " is ", value, "; a class is a whole number"));
    made.push_back(static_cast<std::int64_t>(value));
  }
  return made;
}

/// Features with labels, from two files.
struct Table {
  std::string features_file, labels_file;
  Tensor x;
  std::vector<std::int64_t> labels;

  Table(const std::string& features, const std::string& its_labels)
      : features_file(features),
        labels_file(its_labels),
        x(load_npy_rows(features)),
        labels(load_labels(its_labels)) {
    if (std::ssize(labels) != x.shape().n)
      throw Error(ErrorKind::corrupt,
                  text(labels_file, ": has ", with_commas(std::ssize(labels)), " labels, and ", features_file,
                       " has ", with_commas(x.shape().n), " rows"));
    try {
      check_features(x.view());
    } catch (const Error& error) {
      throw Error(ErrorKind::corrupt, text(features_file, ": ", error.what()));
    }
  }
};

/// What labels stand for: the numbers that training has, in their order.
class Classes {
 public:
  explicit Classes(const Table& train) {
    for (const std::int64_t each : train.labels) of_label_.emplace(each, 0);
    std::int32_t next = 0;
    for (auto& [label, its] : of_label_) {
      its = next++;
      names_.push_back(text(label));
    }
    if (names_.size() < 2)
      throw Error(ErrorKind::corrupt, text(train.labels_file,
                                           ": all rows are of one class; a head tells at least two "
                                           "apart"));
    // As many classes as numbers of pixels or ages: a regression's targets.
    if (names_.size() > 2 && 2 * names_.size() > train.labels.size())
      throw Error(ErrorKind::corrupt,
                  text(train.labels_file, ": has ", with_commas(std::ssize(names_)), " classes for ",
                       with_commas(std::ssize(train.labels)), " rows; a class needs two rows or more"));
  }
  const std::vector<std::string>& names() const { return names_; }
  std::vector<std::int32_t> places(const Table& table) const {
    std::vector<std::int32_t> made;
    for (const std::int64_t each : table.labels) {
      const auto found = of_label_.find(each);
      if (found == of_label_.end())
        throw Error(ErrorKind::corrupt, text(table.labels_file, ": has class ", each,
                                             ", of which training has no row; take such rows out"));
      made.push_back(found->second);
    }
    return made;
  }

 private:
  std::map<std::int64_t, std::int32_t> of_label_;
  std::vector<std::string> names_;
};

/// How well the head does on labelled rows.
Evaluation evaluate_head(const FittedHead& head, ConstView x, std::span<const std::int32_t> y) {
  constexpr std::size_t most_confused = 2000;  // classes; a table of all pairs is made for no more
  Evaluation made;
  made.classes = head.classes;
  const std::size_t count = head.classes.size();
  if (count <= most_confused) made.confusion.assign(count * count, 0);
  constexpr std::int64_t piece = 4096;
  for (std::int64_t begin = 0; begin < x.shape.n; begin += piece) {
    const std::int64_t rows = std::min(piece, x.shape.n - begin);
    const auto from = static_cast<std::size_t>(begin * x.shape.c),
               size = static_cast<std::size_t>(rows * x.shape.c);
    const Tensor found = head.probabilities({{.n = rows, .c = x.shape.c}, x.data.subspan(from, size)});
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
      const std::span<const float> row = found.data().subspan(i * count, count);
      const std::int32_t truth = y[static_cast<std::size_t>(begin) + i];
      const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
      const int rank = rank_of(row, truth);
      made.right += rank == 0 ? 1 : 0;
      made.right5 += rank < 5 ? 1 : 0;
      made.loss -= std::log(std::max(static_cast<double>(row[static_cast<std::size_t>(truth)]), 1e-15));
      if (count <= most_confused) ++made.confusion[static_cast<std::size_t>(truth) * count + best];
    }
  }
  made.n = x.shape.n;
  made.loss /= static_cast<double>(made.n);
  return made;
}

Json interval_of(const Evaluation& of) {
  const Interval found = of.top1_interval();
  return Json::array({found.low, found.high});
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json to_json(const HeadFlags& flags, const Table& train, const HeadFit& fit, const Evaluation& on_train,
             const std::optional<Evaluation>& on_test) {
  const HeadReport& report = fit.report;
  Json json{{"head", fit.head.kind},
            {"rows", train.x.shape().n},
            {"columns", train.x.shape().c},
            {"classes", fit.head.classes},
            {"objective", or_null(report.objective)},
            {"train_accuracy", on_train.top1()},
            {"train_accuracy_interval", interval_of(on_train)},
            {"test_accuracy", on_test ? Json(on_test->top1()) : Json()},
            {"test_accuracy_interval", on_test ? interval_of(*on_test) : Json()},
            {"seconds", report.seconds},
            {"iterations", or_null(report.iterations)},
            {"converged", report.converged},
            {"c", or_null(report.strength)},
            {"standardized", report.standardized},
            {"seed", flags.config.seed},
            {"threads", threads()},
            {"peak_memory_bytes", peak_memory_bytes()}};
  if (on_test && !on_test->confusion.empty()) json["test"] = on_test->to_json();
  if (report.components > 0)
    json["pca"] = {{"components", report.components}, {"explained_variance", or_null(report.explained)}};
  for (const PathStep& step : report.path)
    json["path"].push_back({{"c", step.strength},
                            {"accuracy", step.mean},
                            {"standard_error", step.standard_error},
                            {"converged", step.converged},
                            {"folds", step.accuracies}});
  for (const RidgeStep& step : report.leave_one_out)
    json["leave_one_out"].push_back(
        {{"c", step.strength}, {"squared_error", step.squared_error}, {"accuracy", step.accuracy}});
  if (report.out_of_bag) {
    json["out_of_bag_accuracy"] = *report.out_of_bag;
    json["out_of_bag_rows"] = report.out_of_bag_rows;
  }
  if (!flags.out.empty()) json["out"] = flags.out;
  return json;
}

std::string accuracy_line(const char* name, double accuracy, const Interval& interval) {
  return text(pad_right(name, 16), pad_left(percent(accuracy, 2), 9), "   (95 % interval ",
              percent(interval.low), " to ", percent(interval.high), ")");
}

/// 0.001 as "0.001", 1e-06 as it is.
std::string number(double value) { return text(value); }

void print_path(const HeadReport& report, Console& console) {
  if (!report.path.empty()) {
    console.line(console.dim(text(pad_left("C", 12), pad_left("accuracy", 12), pad_left("+-", 9))));
    for (const PathStep& step : report.path)
      console.line(text(pad_left(number(step.strength), 12), pad_left(percent(step.mean, 2), 12),
                        pad_left(percent(step.standard_error, 2), 9),
                        step.strength == *report.strength ? "  chosen"
                        : step.converged                  ? ""
                                                          : "  did not converge"));
    console.line();
  }
  if (report.leave_one_out.size() > 1) {
    console.line(
        console.dim(text(pad_left("C", 12), pad_left("squared error", 15), pad_left("left out right", 16))));
    for (const RidgeStep& step : report.leave_one_out)
      console.line(text(pad_left(number(step.strength), 12), pad_left(fixed(step.squared_error, 4), 15),
                        pad_left(percent(step.accuracy, 2), 16),
                        step.strength == *report.strength ? "  chosen" : ""));
    console.line();
  }
}

void print_fit(const HeadFlags& flags, const Table& train, const HeadFit& fit, const Evaluation& on_train,
               const std::optional<Evaluation>& on_test, Console& console) {
  const HeadReport& report = fit.report;
  console.line(text(flags.features, ": ", with_commas(train.x.shape().n), " rows of ",
                    with_commas(train.x.shape().c), " columns, ", fit.head.classes.size(), " classes"));
  if (report.components > 0)
    console.line(text(with_commas(report.components), " principal components hold ",
                      percent(*report.explained), " of the variance"));
  print_path(report, console);
  std::string line =
      text(console.bold(fit.head.kind), report.strength ? text(", C = ", number(*report.strength)) : "",
           report.standardized ? ", columns standardised" : "");
  if (report.objective) line += text(", objective ", number(*report.objective));
  if (report.iterations)
    line += text(", ", *report.iterations, *report.iterations == 1 ? " pass" : " passes");
  console.line(text(line, ", ", fixed(report.seconds, 2), " s"));
  if (!report.converged)
    console.warn("It has not converged: its objective can still become smaller. --iterations gives it more.");
  console.line(accuracy_line("train accuracy", on_train.top1(), on_train.top1_interval()));
  if (report.out_of_bag) {
    const auto right = std::llround(*report.out_of_bag * static_cast<double>(report.out_of_bag_rows));
    console.line(
        accuracy_line("out of bag", *report.out_of_bag, wilson_interval(right, report.out_of_bag_rows)));
  }
  if (on_test) console.line(accuracy_line("test accuracy", on_test->top1(), on_test->top1_interval()));
  if (!flags.out.empty()) console.line(text("Kept: ", flags.out));
}

HeadConfig config_of(const HeadFlags& flags) {
  HeadConfig made = flags.config;
  if (flags.has_c) {
    if (!(flags.c > 0) || !std::isfinite(flags.c))
      throw Error(ErrorKind::usage, text("--c: above 0, not ", flags.c));
    made.strength = flags.c;
  }
  check_at_least("--pca", made.pca, 0);
  if (made.pca > 0 && made.pca_share > 0)
    throw Error(ErrorKind::usage, "either --pca or --pca-share, not both");
  if (!(made.pca_share >= 0 && made.pca_share <= 1))
    throw Error(ErrorKind::usage, text("--pca-share: from 0 to 1, not ", made.pca_share));
  if (flags.standardize != "auto") made.standardize = flags.standardize == "yes";
  made.class_weights.balanced = flags.class_weight == "balanced";
  made.multi_class =
      flags.multi_class == "crammer-singer" ? MultiClass::crammer_singer : MultiClass::one_vs_rest;
  made.metric = flags.metric == "cosine" ? DistanceKind::cosine : DistanceKind::euclidean;
  made.vote = flags.vote == "distance" ? Vote::distance : Vote::uniform;
  return made;
}

/// Throws CLI::ValidationError that names a flag which was given and that the head does not heed.
void check_flags_of(const CLI::App& verb, const std::string& head) {
  static const std::map<std::string, std::vector<std::string>> heeded_by{
      {"--c", {"logistic", "svm", "ridge"}},
      {"--folds", {"logistic", "svm"}},
      {"--l1-ratio", {"logistic"}},
      {"--multi-class", {"svm"}},
      {"--iterations", {"logistic", "svm"}},
      {"--k", {"knn"}},
      {"--metric", {"knn"}},
      {"--vote", {"knn"}},
      {"--trees", {"forest"}},
      {"--depth", {"tree", "forest"}},
      {"--min-leaf", {"tree", "forest"}}};
  for (const auto& [flag, heads] : heeded_by)
    if (std::ranges::find(heads, head) == heads.end())
      refuse_flags(verb, {flag}, text("means nothing to ", head, ", it is for ", join(heads, " and ")));
}

int run_head(const HeadFlags& flags) {
  const HeadConfig config = config_of(flags);
  if (!flags.out.empty()) check_file_to_write("--out", flags.out);
  std::vector<std::string> inputs{flags.features, flags.labels};
  inputs.insert(inputs.end(), flags.test.begin(), flags.test.end());
  for (const std::string& input : inputs)
    if (!flags.out.empty()) check_another_file("--out", flags.out, input);
  set_threads(flags.common.threads);
  Console console(flags.common.json ? stderr : stdout);
  const Table train(flags.features, flags.labels);
  const Classes classes(train);
  const std::vector<std::int32_t> y = classes.places(train);
  // Read before the work, so that what is wrong with it is known before.
  std::optional<Table> test;
  std::vector<std::int32_t> test_y;
  if (!flags.test.empty()) {
    test.emplace(flags.test[0], flags.test[1]);
    test_y = classes.places(*test);
    if (test->x.shape().c != train.x.shape().c)
      throw Error(ErrorKind::corrupt,
                  text(flags.test[0], ": has ", with_commas(test->x.shape().c), " columns, and ",
                       flags.features, " has ", with_commas(train.x.shape().c)));
  }

  console.draw(text("Fitting ", config.kind, " on ", with_commas(train.x.shape().n), " rows of ",
                    with_commas(train.x.shape().c), " columns"));
  const HeadFit fit =
      fit_head({train.x.view(), y, static_cast<int>(classes.names().size())}, classes.names(), config);
  if (fit.report.objective && !std::isfinite(*fit.report.objective))
    throw Error(
        ErrorKind::diverged,
        text(flags.features, ": the head did not come to an end on such numbers; try --standardize yes"));
  const Evaluation on_train = evaluate_head(fit.head, train.x.view(), y);
  std::optional<Evaluation> on_test;
  if (test) on_test = evaluate_head(fit.head, test->x.view(), test_y);
  if (!flags.out.empty()) {
    const HeadFile file = head_file_of(fit.head);
    save_safetensors(flags.out, file.tensors, file.metadata);
  }
  console.clear();
  if (flags.common.json)
    print_json(to_json(flags, train, fit, on_train, on_test));
  else
    print_fit(flags, train, fit, on_train, on_test, console);
  return 0;
}

void add_flags(CLI::App& verb, HeadFlags& flags) {
  HeadConfig& config = flags.config;
  const auto one_of = [&](const char* flag, std::string& value, const char* help,
                          std::vector<std::string> words) {
    verb.add_option(flag, value, help)->check(CLI::IsMember(std::move(words)))->capture_default_str();
  };
  verb.add_option("features", flags.features, "Rows of features, float32, float16 or float64 {rows, columns}")
      ->required()
      ->type_name("FEATURES.npy");
  verb.add_option("labels", flags.labels, "A whole number for each row: its class")
      ->required()
      ->type_name("LABELS.npy");
  one_of("--head", config.kind, "Which head", head_kinds());
  verb.add_option("--test", flags.test, "Rows that the head has not seen")
      ->expected(2)
      ->type_name("FEATURES.npy LABELS.npy");
  verb.add_option("--out", flags.out, "Keep the head in this file")->type_name("HEAD.safetensors");
  verb.add_option("--c", flags.c,
                  "Linear heads: large fits closely, small keeps weights small (1; ridge: by "
                  "leave-one-out)")
      ->type_name("X");
  verb.add_option("--folds", config.folds, "logistic, svm: choose C by cross-validation with so many folds")
      ->type_name("K");
  verb.add_option("--pca", config.pca, "Principal components before the head")->type_name("N");
  verb.add_option("--pca-share", config.pca_share, "As many components as hold this share of the variance")
      ->type_name("X");
  one_of("--standardize", flags.standardize,
         "Columns of deviation 1 first; auto: where they differ tenfold, if --folds agree",
         {"auto", "yes", "no"});
  one_of("--class-weight", flags.class_weight, "balanced: rare classes count as much as common ones",
         {"balanced"});
  verb.add_option("--l1-ratio", config.l1_ratio, "logistic: 0 is L2, 1 is L1, between is elastic net")
      ->type_name("X");
  one_of("--multi-class", flags.multi_class, "svm", {"one-vs-rest", "crammer-singer"});
  verb.add_option("--iterations", config.max_iterations, "logistic, svm: passes at most")
      ->capture_default_str()
      ->type_name("N");
  verb.add_option("--k", config.k, "knn: neighbours")->capture_default_str()->type_name("N");
  one_of("--metric", flags.metric, "knn", {"euclidean", "cosine"});
  one_of("--vote", flags.vote, "knn", {"uniform", "distance"});
  verb.add_option("--trees", config.trees, "forest")->capture_default_str()->type_name("N");
  verb.add_option("--depth", config.max_depth, "tree, forest: splits one below the other at most (no limit)")
      ->type_name("N");
  verb.add_option("--min-leaf", config.min_leaf, "tree, forest: rows in a leaf at least")
      ->capture_default_str()
      ->type_name("N");
  verb.add_option("--seed", config.seed, "Of everything that is random")
      ->capture_default_str()
      ->check(seed_number())
      ->type_name("N");
  add_threads(verb, flags.common);
  add_json(verb, flags.common);
}

}  // namespace

void add_head(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<HeadFlags>();
  CLI::App* verb = app.add_subcommand("head", "Fit a classifier on rows of features");
  add_flags(*verb, *flags);
  verb->footer(
      "Examples:\n"
      "  enxerto head features.npy labels.npy --head logistic --folds 5 --test test.npy test_labels.npy\n"
      "  enxerto head features.npy labels.npy --head forest --out forest.safetensors\n"
      "docs/heads.md tells when to use which.");
  verb->callback([flags, verb, &chosen] {
    flags->has_c = verb->count("--c") > 0;
    check_flags_of(*verb, flags->config.kind);
    chosen = [flags] { return run_head(*flags); };
  });
}

}  // namespace enxerto::cli
