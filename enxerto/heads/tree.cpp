#include "enxerto/heads/tree.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/heads/bins.h"

namespace enxerto {
namespace {

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Rows up to `bin` of a column to the left. No split: column -1.
struct Split {
  std::int64_t column = -1;
  int bin = 0;
  double purity =
      0;  ///< sum over both sides of (sum over classes of weight^2) / weight: Gini's, turned round
};

/// One side of a split that is being moved along: weight by class, and the sum of their squares.
struct Side {
  std::vector<double> of_class;
  double weight = 0, squares = 0;
  std::int64_t rows = 0;

  void add(std::int32_t k, double amount) {
    double& its = of_class[place(k)];
    squares += amount * (2 * its + amount);
    its += amount;
    weight += amount;
  }
};

/// Grows one tree, depth first; the rows of a node lie side by side.
class Grower {
 public:
  Grower(const Rows& rows, const Bins& bins, std::span<const float> weights, const TreeConfig& config,
         Rng rng)
      : all_(rows), bins_(bins), weights_(weights), config_(config), rng_(rng) {
    for (std::int64_t i = 0; i < rows.n(); ++i)
      if (weights[place(i)] > 0) rows_.push_back(static_cast<std::int32_t>(i));
    columns_.resize(place(rows.c()));
    std::iota(columns_.begin(), columns_.end(), 0);
    tree_.classes = rows.classes;
    tree_.columns = rows.c();
    for (auto* each : {&labels_, &order_}) each->resize(rows_.size());
    amounts_.resize(rows_.size());
    in_bin_.resize(rows_.size());
    node_.of_class.resize(place(rows.classes));
    left_ = right_ = node_;
  }

  Tree grow() {
    std::vector<Todo> stack{{add_node(), 0, static_cast<std::int64_t>(rows_.size()), 0}};
    while (!stack.empty()) {
      const Todo todo = stack.back();
      stack.pop_back();
      gather(todo);
      const Split split = may_split(todo) ? best_split(todo) : Split{};
      if (split.column < 0) {
        make_leaf(todo.node);
        continue;
      }
      const std::int64_t middle = divide(todo, split);
      const std::int32_t left = add_node(), right = add_node();
      tree_.next[place(todo.node)] = left;
      stack.push_back({right, middle, todo.end, todo.depth + 1});
      stack.push_back({left, todo.begin, middle, todo.depth + 1});
    }
    return std::move(tree_);
  }

 private:
  struct Todo {
    std::int32_t node;
    std::int64_t begin, end;
    int depth;
  };

  std::int32_t add_node() {
    tree_.feature.push_back(-1);
    tree_.next.push_back(0);
    tree_.threshold.push_back(0);
    return static_cast<std::int32_t>(tree_.feature.size() - 1);
  }

  /// Labels and weights of the node's rows, side by side.
  void gather(const Todo& todo) {
    std::ranges::fill(node_.of_class, 0.0);
    node_.weight = node_.squares = 0;
    node_.rows = todo.end - todo.begin;
    for (std::int64_t i = 0; i < node_.rows; ++i) {
      const std::size_t row = place(rows_[place(todo.begin + i)]);
      labels_[place(i)] = all_.y[row];
      amounts_[place(i)] = static_cast<double>(weights_[row]);
      node_.add(labels_[place(i)], amounts_[place(i)]);
    }
  }

  bool may_split(const Todo& todo) const {
    const auto present = std::ranges::count_if(node_.of_class, [](double each) { return each > 0; });
    return present > 1 && node_.rows >= 2 * config_.min_leaf &&
           (config_.max_depth == 0 || todo.depth < config_.max_depth);
  }

  Split best_split(const Todo& todo) {
    Split best;
    const auto count = static_cast<std::int64_t>(columns_.size());
    std::int64_t wanted = config_.max_features > 0 ? config_.max_features : count;
    const bool draws = wanted < count;
    for (std::int64_t i = 0; i < count && wanted > 0; ++i) {
      // The first steps of a shuffle; what order an earlier node left does not matter.
      if (draws)
        std::swap(columns_[place(i)], columns_[place(i) + rng_.below(static_cast<std::uint64_t>(count - i))]);
      if (try_column(columns_[place(i)], todo, best)) --wanted;
    }
    return best;
  }

  /// Sorts the node's rows by bin, moves the border through them, and keeps what is better than `best`. False
  /// where the column is constant here.
  bool try_column(std::int64_t column, const Todo& todo, Split& best) {
    const std::uint8_t* const bins = bins_.column(column);
    const std::int32_t* const rows = rows_.data() + todo.begin;
    int differ = 0;
    for (std::int64_t i = 0; i < node_.rows; ++i) {
      in_bin_[place(i)] = bins[rows[i]];
      differ |= in_bin_[place(i)] ^ in_bin_[0];
    }
    if (differ == 0) return false;
    // Most nodes are small: for them the counts of 256 bins would be more work than the rows.
    if (node_.rows <= 24)
      sort_few();
    else
      sort_by_counting();
    move_border(column, best);
    return true;
  }

  void sort_few() {
    for (std::int64_t i = 0; i < node_.rows; ++i) {
      std::int64_t to = i;
      for (; to > 0 && in_bin_[place(order_[place(to - 1)])] > in_bin_[place(i)]; --to)
        order_[place(to)] = order_[place(to - 1)];
      order_[place(to)] = static_cast<std::int32_t>(i);
    }
  }

  void sort_by_counting() {
    std::array<std::int32_t, most_bins + 1> starts{};
    for (std::int64_t i = 0; i < node_.rows; ++i) ++starts[place(in_bin_[place(i)]) + 1];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (std::int64_t i = 0; i < node_.rows; ++i)
      order_[place(starts[in_bin_[place(i)]]++)] = static_cast<std::int32_t>(i);
  }

  void move_border(std::int64_t column, Split& best) {
    std::ranges::fill(left_.of_class, 0.0);
    left_.weight = left_.squares = 0;
    std::ranges::copy(node_.of_class, right_.of_class.begin());
    right_.weight = node_.weight, right_.squares = node_.squares;
    for (std::int64_t i = 0; i + 1 < node_.rows; ++i) {
      const std::size_t at = place(order_[place(i)]);
      left_.add(labels_[at], amounts_[at]);
      right_.add(labels_[at], -amounts_[at]);
      const std::uint8_t bin = in_bin_[at];
      if (bin == in_bin_[place(order_[place(i + 1)])]) continue;
      if (i + 1 < config_.min_leaf || node_.rows - i - 1 < config_.min_leaf) continue;
      const double purity = left_.squares / left_.weight + right_.squares / right_.weight;
      if (best.column < 0 || purity > best.purity) best = {column, bin, purity};
    }
  }

  /// Rows that go left first; returns where the others begin. Sets the node's column and threshold.
  std::int64_t divide(const Todo& todo, const Split& split) {
    const std::uint8_t* const bins = bins_.column(split.column);
    const auto begin = rows_.begin() + todo.begin, end = rows_.begin() + todo.end;
    const auto middle =
        std::stable_partition(begin, end, [&](std::int32_t row) { return bins[row] <= split.bin; });
    const auto value = [&](std::int32_t row) { return all_.x.data[place(row * all_.c() + split.column)]; };
    const float low = value(*std::ranges::max_element(begin, middle, {}, value));
    const float high = value(*std::ranges::min_element(middle, end, {}, value));
    // Halfway between the two, as long as a float lies there.
    const float halfway = 0.5f * low + 0.5f * high;
    tree_.feature[place(todo.node)] = static_cast<std::int32_t>(split.column);
    tree_.threshold[place(todo.node)] = halfway >= low && halfway < high ? halfway : low;
    return todo.begin + (middle - begin);
  }

  void make_leaf(std::int32_t node) {
    tree_.next[place(node)] = static_cast<std::int32_t>(tree_.leaves.size() / node_.of_class.size());
    for (const double each : node_.of_class) tree_.leaves.push_back(static_cast<float>(each / node_.weight));
  }

  const Rows& all_;
  const Bins& bins_;
  std::span<const float> weights_;
  const TreeConfig& config_;
  Rng rng_;
  Tree tree_;
  std::vector<std::int32_t> rows_, columns_;
  // Of the node at hand:
  Side node_, left_, right_;
  std::vector<std::int32_t> labels_, order_;
  std::vector<double> amounts_;
  std::vector<std::uint8_t> in_bin_;
};

}  // namespace

Tree grow_tree(const Rows& rows, const Bins& bins, std::span<const float> weights, const TreeConfig& config,
               Rng rng) {
  return Grower(rows, bins, weights, config, rng).grow();
}

Tree fit_tree(const Rows& rows, const TreeConfig& config) {
  check_tree_config(rows, config);
  return grow_tree(rows, Bins(rows.x), weights_of_rows(rows, config.class_weights), config, Rng(config.seed));
}

void check_tree_config(const Rows& rows, const TreeConfig& config) {
  if (config.max_depth < 0 || config.min_leaf < 1 || config.max_features < 0)
    throw Error(
        ErrorKind::usage,
        text("a tree of depth ", config.max_depth, " with leaves of ", config.min_leaf, " rows and ",
             config.max_features, " columns a split: none may be negative, and a leaf has a row at least"));
  check_rows(rows);
  if (rows.n() > std::int64_t{1} << 30 || rows.c() > std::int64_t{1} << 30)
    throw Error(ErrorKind::unsupported, "a tree of more than 2^30 rows or columns");
}

std::span<const float> Tree::probabilities_of(std::span<const float> row) const {
  std::size_t node = 0;
  while (feature[node] >= 0)
    node = place(next[node]) + (row[place(feature[node])] <= threshold[node] ? 0 : 1);
  return std::span(leaves).subspan(place(next[node]) * place(classes), place(classes));
}

Tensor Tree::probabilities(ConstView x) const {
  if (x.shape.c != columns || x.shape.h != 1 || x.shape.w != 1)
    throw Error(ErrorKind::usage, text("features of ", format_shape(x.shape), " for a tree of ", columns,
                                       " columns: they come from another network or cut"));
  Tensor made({.n = x.shape.n, .c = classes});
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.shape.n; ++i)
    std::ranges::copy(probabilities_of(x.data.subspan(place(i * columns), place(columns))),
                      made.data().begin() + i * classes);
  return made;
}

int Tree::depth() const {
  std::vector<int> depths(feature.size(), 0);
  for (std::size_t node = 0; node < feature.size(); ++node)  // children lie after their parent
    if (feature[node] >= 0) depths[place(next[node])] = depths[place(next[node]) + 1] = depths[node] + 1;
  return *std::ranges::max_element(depths);
}

}  // namespace enxerto
