#include "enxerto/heads/novelty.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/pca.h"

namespace enxerto {
namespace {

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Of rows and labels those that count, no more than `most`, spread evenly.
std::vector<std::size_t> choose(const Rows& rows, std::int64_t most) {
  std::vector<std::size_t> there;
  for (std::size_t i = 0; i < rows.y.size(); ++i)
    if (rows.weights.empty() || rows.weights[i] > 0) there.push_back(i);
  const auto wanted = std::min(there.size(), place(most));
  std::vector<std::size_t> chosen;
  for (std::size_t k = 0; k < wanted; ++k) chosen.push_back(there[k * there.size() / wanted]);
  return chosen;
}

/// Of length 1; zeros stay zeros. In double, for in float a long row's length is infinite.
void normalise(std::span<const float> row, std::span<double> to) {
  double squares = 0;
  for (const float each : row) squares += static_cast<double>(each) * static_cast<double>(each);
  const double factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (std::size_t j = 0; j < row.size(); ++j) to[j] = static_cast<double>(row[j]) * factor;
}

/// The mean of each class that has a row, in the order of the classes. `of` then says which is row's.
Tensor class_means(const Rows& rows, std::span<const std::size_t> chosen, std::vector<std::size_t>& of) {
  std::vector<double> row(place(rows.c()));
  std::vector<std::int64_t> counts(place(rows.classes));
  for (const std::size_t i : chosen) ++counts[place(rows.y[i])];
  std::vector<std::size_t> number(counts.size());
  std::size_t present = 0;
  for (std::size_t k = 0; k < counts.size(); ++k)
    if (counts[k] > 0) number[k] = present++;
  const std::size_t c = place(rows.c());
  std::vector<double> sums(present * c);
  for (const std::size_t i : chosen) {
    of.push_back(number[place(rows.y[i])]);
    normalise(rows.x.data.subspan(i * c, c), row);
    for (std::size_t j = 0; j < c; ++j) sums[of.back() * c + j] += row[j];
  }
  Tensor means({.n = static_cast<std::int64_t>(present), .c = rows.c()});
  for (std::size_t k = 0; k < counts.size(); ++k)
    for (std::size_t j = 0; counts[k] > 0 && j < c; ++j)
      means.data()[number[k] * c + j] =
          static_cast<float>(sums[number[k] * c + j] / static_cast<double>(counts[k]));
  return means;
}

/// How far towards the identity: (b / d)^2 of Ledoit & Wolf 2004, lemmas 3.2 to 3.4, of rows x of mean 0. The
/// covariance is known by the first eigenvalues and by the mean of the `others`.
double shrinkage(std::span<const double> eigenvalues, double rest, std::int64_t others, double mean,
                 double fourth_powers, double n) {
  const double c = static_cast<double>(std::ssize(eigenvalues) + others);
  double squares = static_cast<double>(others) * rest * rest;  // ||S||^2
  for (const double each : eigenvalues) squares += each * each;
  const double d2 = squares - c * mean * mean;  // ||S - m I||^2; the paper's norm has c in all of them
  const double b2 = (fourth_powers / n - squares) / n;
  return d2 > 0 ? std::clamp(b2 / d2, 0.0, 1.0) : 1.0;
}

}  // namespace

std::optional<Novelty> fit_novelty(const Rows& rows, const NoveltyConfig& config) {
  check_rows(rows);
  const std::vector<std::size_t> chosen = choose(rows, config.most_rows);
  const std::size_t c = place(rows.c());
  std::vector<std::size_t> of;
  Novelty made;
  made.means = class_means(rows, chosen, of);
  if (std::ssize(chosen) < made.means.shape().n + 2) return std::nullopt;
  Tensor off({.n = std::ssize(chosen), .c = rows.c()});  // from the class's mean
  double total = 0, fourth_powers = 0;
  std::vector<double> row(c);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    double squares = 0;
    normalise(rows.x.data.subspan(chosen[i] * c, c), row);
    for (std::size_t j = 0; j < c; ++j) {
      const double each = row[j] - static_cast<double>(made.means.data()[of[i] * c + j]);
      off.data()[i * c + j] = static_cast<float>(each);
      squares += each * each;
    }
    total += squares;
    fourth_powers += squares * squares;
  }
  // Of length 1, so anything less is what rounding the means leaves.
  if (!(total > 1e-12 * static_cast<double>(chosen.size()))) return std::nullopt;
  Pca pca = fit_pca(off.view(), {.components = config.components, .seed = config.seed});
  const double n = static_cast<double>(chosen.size()), columns = static_cast<double>(c);
  const double mean = total / n / columns;
  made.components = std::move(pca.components);
  double known = 0;
  for (const double each : pca.variance) known += made.variance.emplace_back(each * (n - 1) / n);
  const std::int64_t others = rows.c() - std::ssize(made.variance);
  if (others > 0) made.rest = std::max(0.0, total / n - known) / static_cast<double>(others);
  const double delta = shrinkage(made.variance, made.rest, others, mean, fourth_powers, n);
  // What rounding leaves of no variance at all would make every row infinitely far. As floats, which is what
  // the file holds.
  const auto shrunk = [&](double each) {
    return static_cast<double>(static_cast<float>(std::max((1 - delta) * each + delta * mean, 1e-6 * mean)));
  };
  for (double& each : made.variance) each = shrunk(each);
  made.rest = shrunk(made.rest);
  return made;
}

std::vector<double> Novelty::distances(ConstView x) const {
  if (x.shape.c != columns() || x.shape.h != 1 || x.shape.w != 1)
    throw Error(ErrorKind::usage, text("features of ", format_shape(x.shape), " for distances of ", columns(),
                                       " columns: they come from another network or cut"));
  const std::size_t c = place(columns()), r = variance.size(), k = place(means.shape().n);
  // In the directions of the components a row's offset from a mean is the difference of what both have there.
  const auto along = [&](std::span<const double> row, std::span<double> to) {
    for (std::size_t i = 0; i < r; ++i) {
      const std::span<const float> direction = components.data().subspan(i * c, c);
      double sum = 0;
      for (std::size_t j = 0; j < c; ++j) sum += row[j] * static_cast<double>(direction[j]);
      to[i] = sum;
    }
  };
  const std::vector<double> centres(means.data().begin(), means.data().end());
  std::vector<double> means_along(k * r);
  for (std::size_t i = 0; i < k; ++i)
    along(std::span(centres).subspan(i * c, c), std::span(means_along).subspan(i * r, r));
  std::vector<double> made(place(x.shape.n));
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < x.shape.n; ++row) {
    std::vector<double> its(c), its_along(r);
    normalise(x.data.subspan(place(row) * c, c), its);
    along(its, its_along);
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < k; ++i) {
      double squares = 0, inside = 0, sum = 0;
      for (std::size_t j = 0; j < c; ++j) {
        const double off = its[j] - centres[i * c + j];
        squares += off * off;
      }
      for (std::size_t j = 0; j < r; ++j) {
        const double off = its_along[j] - means_along[i * r + j];
        inside += off * off;
        sum += off * off / variance[j];
      }
      least = std::min(least, sum + std::max(0.0, squares - inside) / rest);
    }
    made[place(row)] = std::sqrt(least / static_cast<double>(c));
  }
  return made;
}

double threshold_for(std::vector<double> distances, double answered) {
  ensure(answered > 0 && answered <= 1, "the share is above 0 and 1 at most");
  if (distances.empty()) return std::numeric_limits<double>::infinity();
  std::ranges::sort(distances);
  const double wanted = std::ceil(answered * static_cast<double>(distances.size()) - 1e-9);
  const std::size_t last = static_cast<std::size_t>(std::max(wanted, 1.0)) - 1;
  // Clear of the last one's own distance: features differ in their last bits between batches.
  const auto next = std::ranges::upper_bound(distances, distances[last]);
  return next == distances.end() ? distances[last] * (1 + 1e-4) : (distances[last] + *next) / 2;
}

nlohmann::json Novelty::to_json() const { return {{"threshold", threshold}, {"answered", answered}}; }

NamedTensors tensors_of(const Novelty& novelty) {
  NamedTensors made;
  const std::int64_t c = novelty.columns(), r = std::ssize(novelty.variance);
  made.push_back({"means", {novelty.means.shape().n, c}, novelty.means.clone()});
  made.push_back({"components", {r, c}, novelty.components.clone()});
  Tensor variance({.n = r + 1});
  std::ranges::transform(novelty.variance, variance.data().begin(),
                         [](double each) { return static_cast<float>(each); });
  variance.data().back() = static_cast<float>(novelty.rest);
  made.push_back({"variance", {r + 1}, std::move(variance)});
  return made;
}

Novelty novelty_from(const NamedTensors& tensors, const nlohmann::json& json) {
  const auto find = [&](const char* name, std::size_t rank) -> const NamedTensor& {
    const NamedTensor* const found = find_tensor(tensors, name);
    if (!found || found->dims.size() != rank || found->value.empty())
      throw Error(ErrorKind::corrupt, text("\"", name, "\" has to be there, of ", rank,
                                           rank == 1 ? " dimension" : " dimensions"));
    for (const float each : found->value.data())
      if (!std::isfinite(each))
        throw Error(ErrorKind::corrupt, text("\"", name, "\" holds a number that is not finite"));
    return *found;
  };
  const NamedTensor &means = find("means", 2), &components = find("components", 2),
                    &variance = find("variance", 1);
  if (tensors.size() != 3)
    throw Error(ErrorKind::corrupt, text("there are ", tensors.size(), " tensors, not 3"));
  if (components.dims[1] != means.dims[1] || variance.dims[0] != components.dims[0] + 1)
    throw Error(ErrorKind::corrupt,
                "the sizes of \"means\", \"components\" and \"variance\" do not fit together");
  const auto number = [&](const char* key) {
    const nlohmann::json* const found = json.is_object() && json.contains(key) ? &json.at(key) : nullptr;
    if (!found || !found->is_number() || !std::isfinite(found->get<double>()))
      throw Error(ErrorKind::corrupt, text("\"", key, "\" has to be a number"));
    return found->get<double>();
  };
  Novelty made;
  made.threshold = number("threshold");
  made.answered = number("answered");
  for (const float each : variance.value.data()) {
    if (!(each > 0))
      throw Error(ErrorKind::corrupt, text("\"variance\" holds ", each, ": all have to be above 0"));
    made.variance.push_back(static_cast<double>(each));
  }
  made.rest = made.variance.back();
  made.variance.pop_back();
  made.means = means.value.clone();
  made.components = components.value.clone();
  return made;
}

}  // namespace enxerto
