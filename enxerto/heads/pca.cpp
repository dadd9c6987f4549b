#include "enxerto/heads/pca.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "enxerto/core/error.h"
#include "enxerto/core/random.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/dense.h"
#include "enxerto/heads/row_blocks.h"

namespace enxerto {
namespace {

using Floats = dense::Matrix<float>;
using ConstFloats = dense::Matrix<const float>;

/// What a decomposition gives: directions as rows, and the sum of squares along each, descending.
struct Found {
  Tensor directions;
  std::vector<double> squares;
};

/// Calls f(begin, count, block) for all rows, standardised.
template <class T, class F>
void for_blocks(const Standardized& rows, const F& f) {
  const std::int64_t length = std::min(block_length(rows.x.shape.c), rows.x.shape.n);
  std::vector<T> block(static_cast<std::size_t>(length * rows.x.shape.c));
  for (std::int64_t begin = 0; begin < rows.x.shape.n; begin += length) {
    const std::int64_t count = std::min(length, rows.x.shape.n - begin);
    rows.copy_rows(begin, count, block.data());
    f(begin, count, block.data());
  }
}

/// directions {l,c} -> what each row has along them, {l,n}.
void along(const Standardized& rows, ConstView directions, View to) {
  const std::int64_t n = rows.x.shape.n, c = rows.x.shape.c, l = directions.shape.n;
  for_blocks<float>(rows, [&](std::int64_t begin, std::int64_t count, const float* block) {
    dense::multiply(ConstFloats(directions.data.data(), l, c), turned(ConstFloats(block, count, c)), 0.0f,
                    Floats(to.data.data() + begin, l, count, n));
  });
}

/// {l,n} -> the sums of rows that they stand for, {l,c}.
void back(const Standardized& rows, ConstView amounts, View to) {
  const std::int64_t n = rows.x.shape.n, c = rows.x.shape.c, l = amounts.shape.n;
  for_blocks<float>(rows, [&](std::int64_t begin, std::int64_t count, const float* block) {
    dense::multiply(ConstFloats(amounts.data.data() + begin, l, count, n), ConstFloats(block, count, c),
                    begin == 0 ? 0.0f : 1.0f, Floats(to.data.data(), l, c));
  });
}

Floats matrix(Tensor& of) { return {of.data().data(), of.shape().n, of.shape().c}; }

Found randomised(const Standardized& rows, std::int64_t wanted, const PcaConfig& config) {
  const std::int64_t n = rows.x.shape.n, c = rows.x.shape.c;
  const std::int64_t l = std::min({wanted + config.oversampling, n, c});
  Tensor directions({.n = l, .c = c}), amounts({.n = l, .c = n});
  Rng rng = Rng(config.seed).child(0x9CA);
  for (float& each : directions.data()) each = rng.normal();
  for (int i = 0; i <= config.power_iterations; ++i) {
    if (i > 0)
      dense::orthonormalise_rows(matrix(directions));  // else all rows would turn to the first component
    along(rows, directions.view(), amounts.view());
    dense::orthonormalise_rows(matrix(amounts));
    back(rows, amounts.view(), directions.view());
  }
  const std::vector<float> singular = dense::singular_rows(matrix(directions));
  Found found{std::move(directions), {}};
  for (const float each : singular)
    found.squares.push_back(static_cast<double>(each) * static_cast<double>(each));
  return found;
}

/// Row i of the result is row (last - i) of `from`: eigenvalues come ascending.
Tensor reversed_rows(const std::vector<double>& from, std::int64_t rows, std::int64_t columns) {
  Tensor made({.n = rows, .c = columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      made.data()[static_cast<std::size_t>(i * columns + j)] =
          static_cast<float>(from[static_cast<std::size_t>((rows - 1 - i) * columns + j)]);
  return made;
}

/// By the eigenvectors of X^T X.
Found exact_by_columns(const Standardized& rows) {
  const std::int64_t c = rows.x.shape.c;
  std::vector<double> gram(static_cast<std::size_t>(c * c));
  for_blocks<double>(rows, [&](std::int64_t, std::int64_t count, const double* block) {
    dense::add_gram({block, count, c}, {gram.data(), c, c});
  });
  std::vector<double> squares = dense::eigen_rows({gram.data(), c, c});
  std::ranges::reverse(squares);
  return {reversed_rows(gram, c, c), std::move(squares)};
}

/// By the eigenvectors of X X^T: fewer rows than columns.
Found exact_by_rows(const Standardized& rows) {
  const std::int64_t n = rows.x.shape.n, c = rows.x.shape.c;
  std::vector<double> gram(static_cast<std::size_t>(n * n));
  const std::int64_t width = std::min(block_length(n), c);
  std::vector<double> block(static_cast<std::size_t>(n * width));
  for (std::int64_t begin = 0; begin < c; begin += width) {
    const std::int64_t count = std::min(width, c - begin);
    rows.copy_columns(begin, count, block.data());
    dense::add_gram(turned(dense::Matrix<const double>(block.data(), n, count)), {gram.data(), n, n});
  }
  std::vector<double> squares = dense::eigen_rows({gram.data(), n, n});
  std::ranges::reverse(squares);
  const Tensor amounts = reversed_rows(gram, n, n);
  Found found{Tensor({.n = n, .c = c}), std::move(squares)};
  back(rows, amounts.view(), found.directions.view());
  return found;
}

Found exact(const Standardized& rows) {
  return rows.x.shape.c <= rows.x.shape.n ? exact_by_columns(rows) : exact_by_rows(rows);
}

/// How many of the directions are more than rounding.
std::int64_t rank_of(const Found& found) {
  const double least = found.squares.empty() ? 0 : 1e-12 * found.squares.front();
  return std::ranges::count_if(found.squares, [least](double each) { return each > least; });
}

/// The fewest that reach the share of `total`, or nothing where all of them do not.
std::int64_t enough(const Found& found, double share, double total) {
  double sum = 0;
  for (std::size_t i = 0; i < found.squares.size(); ++i)
    if (sum += found.squares[i]; sum >= share * total * (1 - 1e-6)) return static_cast<std::int64_t>(i) + 1;
  return 0;
}

/// Length 1, and the largest element positive: what a decomposition leaves open.
void settle(std::span<float> direction) {
  double squares = 0;
  float largest = 0;
  for (const float each : direction) {
    squares += static_cast<double>(each) * static_cast<double>(each);
    if (std::abs(each) > std::abs(largest)) largest = each;
  }
  const double factor = (largest < 0 ? -1 : 1) / std::sqrt(squares);
  for (float& each : direction) each = static_cast<float>(static_cast<double>(each) * factor);
}

void check_config(const PcaConfig& config) {
  if (config.components < 0)
    throw Error(ErrorKind::usage, text(config.components,
                                       " principal components: at least 1, or 0 for as many "
                                       "as explain a share of the variance"));
  if (!(config.share > 0 && config.share <= 1))
    throw Error(ErrorKind::usage,
                text("a share of ", config.share, " of the variance: above 0, and 1 at most"));
  if (config.power_iterations < 0 || config.oversampling < 0)
    throw Error(ErrorKind::usage, "power iterations and oversampling of PCA cannot be negative");
}

Found find_components(const Standardized& rows, const PcaConfig& config, double total, Pca& pca) {
  const std::int64_t most = std::min(rows.x.shape.n, rows.x.shape.c);
  pca.exact = most <= config.exact_up_to;
  if (pca.exact) return exact(rows);
  if (config.components > 0) return randomised(rows, std::min<std::int64_t>(config.components, most), config);
  for (std::int64_t tried = 64;; tried *= 2) {
    Found found = randomised(rows, std::min(tried, most), config);
    if (tried >= most) return found;
    // The last directions, those beyond `tried`, are only half found.
    found.squares.resize(std::min(found.squares.size(), static_cast<std::size_t>(tried)));
    if (enough(found, config.share, total) > 0) return found;
  }
}

}  // namespace

double Pca::explained() const {
  const double sum = std::accumulate(variance.begin(), variance.end(), 0.0);
  return total_variance > 0 ? std::min(sum / total_variance, 1.0) : 1.0;
}

Tensor Pca::project(ConstView x) const {
  if (x.shape.c != components.shape().c || x.shape.h != 1 || x.shape.w != 1)
    throw Error(ErrorKind::usage,
                text("features of ", format_shape(x.shape), " for principal components of ",
                     components.shape().c, " columns: they come from another network or cut"));
  Tensor made({.n = x.shape.n, .c = size()});
  for_blocks<float>({x, by}, [&](std::int64_t begin, std::int64_t count, const float* block) {
    dense::multiply(ConstFloats(block, count, x.shape.c),
                    turned(ConstFloats(components.data().data(), size(), x.shape.c)), 0.0f,
                    Floats(made.data().data() + begin * size(), count, size()));
  });
  return made;
}

Pca fit_pca(ConstView x, const PcaConfig& config, std::span<const float> weights) {
  check_config(config);
  check_features(x);
  std::vector<float> counted(static_cast<std::size_t>(x.shape.n), 1.0f);
  for (std::size_t i = 0; i < weights.size(); ++i) counted[i] = weights[i] > 0 ? 1.0f : 0.0f;
  const auto n = std::count(counted.begin(), counted.end(), 1.0f);
  if (n < 2) throw Error(ErrorKind::usage, "principal components need at least two rows");

  Pca pca;
  pca.by = standardization_of(x, counted);
  if (!config.standardize) std::ranges::fill(pca.by.scale, 1.0f);
  const Standardized rows{x, pca.by, counted};
  double total = 0;
  for_blocks<float>(rows, [&](std::int64_t, std::int64_t count, const float* block) {
    for (std::int64_t i = 0; i < count * x.shape.c; ++i)
      total += static_cast<double>(block[i]) * static_cast<double>(block[i]);
  });
  if (!(total > 0))
    throw Error(ErrorKind::usage, "all rows are the same: there is nothing for principal components to find");

  const Found found = find_components(rows, config, total, pca);
  std::int64_t kept = config.components > 0 ? config.components : enough(found, config.share, total);
  const std::int64_t rank = std::min(rank_of(found), std::min<std::int64_t>(n - 1, x.shape.c));
  kept = kept > 0 ? std::min(kept, rank) : rank;
  const double freedom = static_cast<double>(n - 1);
  pca.total_variance = total / freedom;
  pca.components = Tensor({.n = kept, .c = x.shape.c});
  const auto columns = static_cast<std::size_t>(x.shape.c);
  for (std::size_t i = 0; i < static_cast<std::size_t>(kept); ++i) {
    pca.variance.push_back(found.squares[i] / freedom);
    const std::span<float> to = pca.components.data().subspan(i * columns, columns);
    std::ranges::copy(found.directions.data().subspan(i * columns, columns), to.begin());
    settle(to);
  }
  return pca;
}

LinearHead fold_pca(const Pca& pca, const LinearHead& head) {
  ensure(head.w.shape().c == pca.size(), "the head is on the projected rows");
  LinearHead made(head.classes(), pca.components.shape().c);
  dense::multiply(ConstFloats(head.w.data().data(), head.classes(), pca.size()),
                  ConstFloats(pca.components.data().data(), pca.size(), pca.components.shape().c), 0.0f,
                  matrix(made.w));
  std::ranges::copy(head.b.data(), made.b.data().begin());
  unfold_standardization(pca.by, made);
  return made;
}

void append_pca(const Pca& pca, NamedTensors& tensors) {
  const std::int64_t k = pca.size(), c = pca.components.shape().c;
  const auto add = [&](const char* name, std::span<const float> values) {
    Tensor made({.n = static_cast<std::int64_t>(values.size())});
    std::ranges::copy(values, made.data().begin());
    tensors.push_back({name, {made.shape().n}, std::move(made)});
  };
  tensors.push_back({"pca.components", {k, c}, pca.components.clone()});
  add("pca.mean", pca.by.mean);
  add("pca.scale", pca.by.scale);
  std::vector<float> variance(pca.variance.begin(), pca.variance.end());
  variance.push_back(static_cast<float>(pca.total_variance));
  add("pca.variance", variance);
}

Pca pca_from(const NamedTensors& tensors) {
  const NamedTensor* const components = find_tensor(tensors, "pca.components");
  if (!components || components->dims.size() != 2 || components->dims[0] < 1 || components->dims[1] < 1)
    throw Error(ErrorKind::corrupt, "\"pca.components\" has to be there, of {components, columns}");
  const auto take = [&](const char* name, std::int64_t wanted) {
    const NamedTensor* const found = find_tensor(tensors, name);
    if (!found || found->dims != std::vector<std::int64_t>{wanted})
      throw Error(ErrorKind::corrupt, text("\"", name, "\" has to be there, of {", wanted, "}"));
    return std::vector<float>(found->value.data().begin(), found->value.data().end());
  };
  Pca made;
  for (const NamedTensor* const each : {components, find_tensor(tensors, "pca.mean")})
    if (each && !std::ranges::all_of(each->value.data(), [](float x) { return std::isfinite(x); }))
      throw Error(ErrorKind::corrupt, text("\"", each->name, "\" holds a number that is not finite"));
  made.components = components->value.clone();
  made.by.mean = take("pca.mean", components->dims[1]);
  made.by.scale = take("pca.scale", components->dims[1]);
  for (const float each : made.by.scale)
    if (!(each > 0)) throw Error(ErrorKind::corrupt, "\"pca.scale\" has a number that is not above 0");
  const std::vector<float> variance = take("pca.variance", components->dims[0] + 1);
  made.variance.assign(variance.begin(), variance.end() - 1);
  made.total_variance = static_cast<double>(variance.back());
  return made;
}

}  // namespace enxerto
