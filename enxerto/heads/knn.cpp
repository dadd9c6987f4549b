#include "enxerto/heads/knn.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/dense.h"

namespace enxerto {
namespace {

using ConstFloats = dense::Matrix<const float>;

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

double squares(std::span<const float> row) {
  double sum = 0;
  for (const float each : row) sum += static_cast<double>(each) * static_cast<double>(each);
  return sum;
}

/// The distance that counts: in double, in the order of the columns.
double exact_distance(DistanceKind metric, std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  if (metric == DistanceKind::cosine) {
    for (std::size_t j = 0; j < a.size(); ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
    const double lengths = std::sqrt(squares(a)) * std::sqrt(squares(b));
    return lengths > 0 ? std::max(1 - sum / lengths, 0.0) : 1.0;
  }
  for (std::size_t j = 0; j < a.size(); ++j) {
    const double off = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += off * off;
  }
  return std::sqrt(sum);
}

/// Finds neighbours for a block of rows at a time.
class Search {
 public:
  explicit Search(const Knn& knn) : knn_(knn), n_(knn.x.shape().n), c_(knn.columns()) {
    for (std::int64_t i = 0; i < n_; ++i)
      squares_.push_back(static_cast<float>(squares(knn.x.data().subspan(place(i * c_), place(c_)))));
    largest_ = *std::ranges::max_element(squares_);
  }

  std::vector<std::vector<Neighbour>> run(ConstView raw) const {
    const std::int64_t rows = raw.shape.n;
    // Products of a block with all rows: 32 MiB of them, and a block that is worth the threads.
    const std::int64_t length =
        std::min(rows, std::clamp((std::int64_t{8} << 20) / n_, std::int64_t{16}, std::int64_t{512}));
    std::vector<float> block(place(length * c_)), products(place(length * n_));
    std::vector<std::vector<Neighbour>> made(place(rows));
    for (std::int64_t begin = 0; begin < rows; begin += length) {
      const std::int64_t count = std::min(length, rows - begin);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < count; ++i)
        standardize_row(knn_.by, raw.data.subspan(place((begin + i) * c_), place(c_)),
                        std::span(block).subspan(place(i * c_), place(c_)));
      dense::multiply(ConstFloats(block.data(), count, c_), turned(ConstFloats(knn_.x.data().data(), n_, c_)),
                      0.0f, dense::Matrix<float>(products.data(), count, n_));
#pragma omp parallel for schedule(dynamic)
      for (std::int64_t i = 0; i < count; ++i)
        made[place(begin + i)] = nearest(std::span<const float>(block).subspan(place(i * c_), place(c_)),
                                         std::span(products).subspan(place(i * n_), place(n_)));
    }
    return made;
  }

 private:
  /// `products` becomes what the distance grows with, in float.
  std::vector<Neighbour> nearest(std::span<const float> row, std::span<float> products) const {
    const bool cosine = knn_.metric == DistanceKind::cosine;
    const double own = squares(row), most = 1e30;
    if (!(own < most && static_cast<double>(largest_) < most)) {
      std::ranges::fill(products, 0.0f);  // float may have overflowed: all are in doubt
    } else if (cosine) {
      for (std::size_t i = 0; i < products.size(); ++i)
        products[i] = squares_[i] > 0 ? -products[i] / std::sqrt(squares_[i]) : 0.0f;
    } else {
      for (std::size_t i = 0; i < products.size(); ++i) products[i] = squares_[i] - 2 * products[i];
    }
    std::vector<float> sorted(products.begin(), products.end());
    const auto last = sorted.begin() + (knn_.k - 1);
    std::nth_element(sorted.begin(), last, sorted.end());
    // Each is off by no more than this, in the worst case (Higham 2002, section 3.1: n u |a| |b|).
    const double unit = 0x1p-24 * static_cast<double>(c_ + 8);
    const double doubt =
        cosine
            ? 2 * unit * std::sqrt(own)
            : 2 * unit * (2 * std::sqrt(own * static_cast<double>(largest_)) + static_cast<double>(largest_));
    const double limit = static_cast<double>(*last) + 2 * doubt;
    std::vector<Neighbour> found;
    for (std::size_t i = 0; i < products.size(); ++i)
      if (!(static_cast<double>(products[i]) > limit)) {
        const std::span<const float> other = knn_.x.data().subspan(i * place(c_), place(c_));
        found.push_back({static_cast<std::int64_t>(i), exact_distance(knn_.metric, row, other)});
      }
    std::partial_sort(found.begin(), found.begin() + knn_.k, found.end(), [](const auto& a, const auto& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
    });
    found.resize(place(knn_.k));
    return found;
  }

  const Knn& knn_;
  std::int64_t n_, c_;
  std::vector<float> squares_;
  float largest_ = 0;
};

}  // namespace

std::vector<std::vector<Neighbour>> Knn::neighbours(ConstView raw) const {
  if (raw.shape.c != columns() || raw.shape.h != 1 || raw.shape.w != 1)
    throw Error(ErrorKind::usage, text("features of ", format_shape(raw.shape), " for neighbours of ",
                                       columns(), " columns: they come from another network or cut"));
  return raw.shape.n > 0 ? Search(*this).run(raw) : std::vector<std::vector<Neighbour>>{};
}

Tensor Knn::probabilities(ConstView raw) const {
  const auto found = neighbours(raw);
  Tensor made({.n = raw.shape.n, .c = classes});
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::vector<double> of_class(place(classes), 0.0);
    double sum = 0;
    const bool touches = vote == Vote::distance && found[i].front().distance == 0;
    for (const Neighbour& each : found[i]) {
      double counts = static_cast<double>(votes[place(each.row)]);
      if (touches && each.distance > 0) counts = 0;
      if (vote == Vote::distance && !touches) counts /= each.distance;
      of_class[place(y[place(each.row)])] += counts;
      sum += counts;
    }
    for (std::size_t its = 0; its < of_class.size(); ++its)
      made.data()[i * of_class.size() + its] = static_cast<float>(of_class[its] / sum);
  }
  return made;
}

Knn fit_knn(const Rows& rows, const KnnConfig& config) {
  check_rows(rows);
  const std::vector<float> weights = weights_of_rows(rows, config.class_weights);
  const auto kept = std::ranges::count_if(weights, [](float each) { return each > 0; });
  if (config.k < 1 || config.k > kept)
    throw Error(ErrorKind::usage,
                text(config.k, " neighbours of ", kept, " rows: from 1 to the number of rows"));
  Knn made;
  made.classes = rows.classes;
  made.k = config.k;
  made.metric = config.metric;
  made.vote = config.vote;
  if (config.standardize) made.by = standardization_of(rows.x, rows.weights);
  made.x = Tensor({.n = kept, .c = rows.c()});
  const auto columns = place(rows.c());
  std::size_t to = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] > 0)) continue;
    standardize_row(made.by, rows.x.data.subspan(i * columns, columns),
                    made.x.data().subspan(to * columns, columns));
    made.y.push_back(rows.y[i]);
    made.votes.push_back(weights[i]);
    ++to;
  }
  return made;
}

}  // namespace enxerto
