#include "enxerto/heads/head.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"

namespace enxerto {

bool is_linear(std::string_view kind) { return kind == "logistic" || kind == "svm" || kind == "ridge"; }

namespace {

/// Each row of scores becomes its softmax.
void to_probabilities(Tensor& scores) {
  const auto count = static_cast<std::size_t>(scores.shape().c);
  for (std::size_t begin = 0; begin < scores.data().size(); begin += count) {
    const std::span<float> row = scores.data().subspan(begin, count);
    const float highest = *std::ranges::max_element(row);
    double sum = 0;
    for (float& each : row) sum += static_cast<double>(each = std::exp(each - highest));
    for (float& each : row) each = static_cast<float>(static_cast<double>(each) / sum);
  }
}

void check_config(const HeadConfig& config) {
  if (!is_linear(config.kind) && config.kind != "knn" && config.kind != "tree" && config.kind != "forest")
    throw Error(ErrorKind::usage,
                text("no head is called ", config.kind, ": logistic, svm, ridge, knn, tree or forest"));
  if (config.folds != 0 && config.folds < 2)
    throw Error(ErrorKind::usage, text(config.folds, " folds: cross-validation needs at least two"));
  if (config.folds != 0 && config.kind != "logistic" && config.kind != "svm")
    throw Error(ErrorKind::usage, text("folds choose C for logistic and svm, not for ", config.kind,
                                       config.kind == "ridge" ? ", which chooses by leave-one-out" : ""));
  if (config.folds != 0 && config.strength)
    throw Error(ErrorKind::usage, "C is either given or chosen by cross-validation, not both");
}

/// Fits one of the linear heads on rows that may be projected.
class LinearFitter {
 public:
  LinearFitter(const HeadConfig& config, bool standardize, HeadReport& report)
      : config_(config), standardize_(standardize), report_(report) {}

  LinearHead fit(const Rows& rows) {
    report_.strength = config_.strength.value_or(1.0);
    LinearFit found = config_.kind == "ridge"      ? ridge(rows)
                      : config_.kind == "logistic" ? logistic(rows)
                                                   : svm(rows);
    report_.objective = found.objective;
    report_.iterations = found.iterations;
    report_.converged = found.converged;
    return std::move(found.head);
  }

 private:
  LinearFit logistic(const Rows& rows) {
    LogisticConfig config{.strength = *report_.strength,
                          .l1_ratio = config_.l1_ratio,
                          .standardize = standardize_,
                          .class_weights = config_.class_weights};
    config.max_iterations = config_.max_iterations;
    return config_.folds > 0 ? take(fit_logistic_path(rows, config, path())) : fit_logistic(rows, config);
  }
  LinearFit svm(const Rows& rows) {
    SvmConfig config{.strength = *report_.strength,
                     .multi_class = config_.multi_class,
                     .standardize = standardize_,
                     .class_weights = config_.class_weights};
    config.max_iterations = config_.max_iterations;
    return config_.folds > 0 ? take(fit_svm_path(rows, config, path())) : fit_svm(rows, config);
  }
  LinearFit ridge(const Rows& rows) {
    RidgeConfig config{.standardize = standardize_, .class_weights = config_.class_weights};
    if (config_.strength) config.strengths = {*config_.strength};
    RidgeFit found = fit_ridge(rows, config);
    report_.strength = found.best;
    report_.leave_one_out = std::move(found.steps);
    return std::move(found.fit);
  }
  PathConfig path() const {
    PathConfig made;
    made.folds = config_.folds;
    made.fold_of_row = config_.fold_of_row;
    made.seed = config_.seed;
    return made;
  }
  LinearFit take(PathResult found) {
    report_.strength = found.best;
    report_.path = std::move(found.steps);
    return std::move(found.fit);
  }

  const HeadConfig& config_;
  bool standardize_;
  HeadReport& report_;
};

AnyHead fit_model(const Rows& rows, const HeadConfig& config, bool standardize, HeadReport& report) {
  if (is_linear(config.kind)) return LinearFitter(config, standardize, report).fit(rows);
  if (config.kind == "knn")
    return fit_knn(rows, {.k = config.k,
                          .metric = config.metric,
                          .vote = config.vote,
                          .standardize = standardize,
                          .class_weights = config.class_weights});
  if (config.kind == "tree")
    return fit_tree(rows, {.max_depth = config.max_depth,
                           .min_leaf = config.min_leaf,
                           .class_weights = config.class_weights,
                           .seed = config.seed});
  ForestFit found = fit_forest(rows, {.trees = config.trees,
                                      .max_depth = config.max_depth,
                                      .min_leaf = config.min_leaf,
                                      .class_weights = config.class_weights,
                                      .seed = config.seed,
                                      .group_of_row = config.group_of_row});
  report.out_of_bag = found.out_of_bag_accuracy;
  report.out_of_bag_rows = found.out_of_bag_rows;
  return std::move(found.forest);
}

/// How many times the 5th percentile of the columns' deviations the 95th is, of columns that are not
/// constant.
double spread_of_scales(const Standardization& of) {
  std::vector<float> deviations;
  for (const float each : of.scale)
    if (each != 1) deviations.push_back(each);  // 1 stands for constant columns
  if (deviations.size() < 2) return 1;
  std::ranges::sort(deviations);
  const auto at = [&](double share) {
    return deviations[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(deviations.size() - 1)))];
  };
  return static_cast<double>(at(0.95)) / static_cast<double>(at(0.05));
}

/// Both as the columns are and with deviation 1 each; keeps what cross-validation finds more accurate.
AnyHead fit_either_way(const Rows& rows, const HeadConfig& config, HeadReport& report) {
  HeadReport raw = report;
  raw.standardized = false;
  AnyHead levelled = fit_model(rows, config, true, report);
  AnyHead as_they_are = fit_model(rows, config, false, raw);
  const auto accuracy = [](const HeadReport& of) {
    return std::ranges::find(of.path, *of.strength, &PathStep::strength)->mean;
  };
  if (!raw.converged || accuracy(raw) <= accuracy(report)) return levelled;
  report = std::move(raw);
  return as_they_are;
}

struct Columns {
  std::int64_t operator()(const LinearHead& head) const { return head.w.shape().c; }
  std::int64_t operator()(const Knn& head) const { return head.columns(); }
  std::int64_t operator()(const Tree& head) const { return head.columns; }
  std::int64_t operator()(const Forest& head) const { return head.columns(); }
};

/// Scores of a linear head, probabilities of others.
struct Answers {
  ConstView x;
  Tensor operator()(const LinearHead& head) const { return head.scores(x); }
  template <class Head>
  Tensor operator()(const Head& head) const {
    return head.probabilities(x);
  }
};

Tensor answers_of(const FittedHead& head, ConstView x) {
  if (!head.pca) return std::visit(Answers{x}, head.model);
  const Tensor projected = head.pca->project(x);
  return std::visit(Answers{projected.view()}, head.model);
}

}  // namespace

std::int64_t FittedHead::columns() const {
  return pca ? pca->components.shape().c : std::visit(Columns{}, model);
}

Tensor FittedHead::probabilities(ConstView x) const {
  const bool linear = std::holds_alternative<LinearHead>(model);
  if (!linear && temperature == 1) return answers_of(*this, x);
  Tensor made = outputs(x);
  to_probabilities(made);
  return made;
}

Tensor FittedHead::outputs(ConstView x) const {
  Tensor made = answers_of(*this, x);
  if (!std::holds_alternative<LinearHead>(model))
    for (float& p : made.data()) p = std::log(std::max(p, 1e-6f));
  if (temperature != 1)
    for (float& y : made.data()) y = static_cast<float>(static_cast<double>(y) / temperature);
  return made;
}

const std::vector<std::string>& head_kinds() {
  static const std::vector<std::string> kinds{"logistic", "svm", "ridge", "knn", "tree", "forest"};
  return kinds;
}

HeadFit fit_head(const Rows& rows, std::vector<std::string> classes, const HeadConfig& config) {
  const double began = now_seconds();
  check_config(config);
  check_rows(rows);
  ensure(static_cast<int>(classes.size()) == rows.classes, "each class has a name");
  HeadFit made{{config.kind, std::move(classes), LinearHead(), {}}, {}};
  double spread = 1;
  if (is_linear(config.kind) || config.kind == "knn") {
    if (!config.standardize) spread = spread_of_scales(standardization_of(rows.x, rows.weights));
    made.report.standardized = config.standardize.value_or(spread > 10);
  }
  if (config.pca == 0 && config.pca_share == 0) {
    made.head.model = config.folds > 0 && spread > 10 && spread < 1000
                          ? fit_either_way(rows, config, made.report)
                          : fit_model(rows, config, made.report.standardized, made.report);
  } else {
    Pca pca = fit_pca(rows.x,
                      {.components = config.pca,
                       .share = config.pca_share > 0 ? config.pca_share : 0.95,
                       .standardize = made.report.standardized,
                       .seed = config.seed},
                      rows.weights);
    made.report.components = pca.size();
    made.report.explained = pca.explained();
    const Tensor projected = pca.project(rows.x);
    Rows fewer = rows;
    fewer.x = projected.view();
    made.head.model = fit_model(fewer, config, false, made.report);
    if (auto* const linear = std::get_if<LinearHead>(&made.head.model))
      *linear = fold_pca(pca, *linear);
    else
      made.head.pca = std::move(pca);
  }
  made.report.seconds = now_seconds() - began;
  return made;
}

}  // namespace enxerto
