#include "spectral/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "spectral/archetypes.h"

namespace engram::spectral {
namespace {

// |overlap| of every row of x with every row of y, x.rows x y.rows.
std::vector<double> overlaps(const Patterns& x, const Patterns& y) {
  std::vector<double> matrix;
  matrix.reserve(x.rows * y.rows);
  for (size_t i = 0; i < x.rows; ++i) {
    for (size_t j = 0; j < y.rows; ++j) matrix.push_back(std::abs(overlap(x.row(i), y.row(j), x.cols)));
  }
  return matrix;
}

double square_sum(const std::vector<double>& entries) {
  double sum = 0;
  for (const double entry : entries) sum += entry * entry;
  return sum;
}

// The cheapest assignment of rows to columns of a square matrix: rows are taken in one by one, each along the
// shortest alternating path, with potentials that keep reduced costs nonnegative. Index 0 stands for none.
class Assignment {
 public:
  Assignment(const std::vector<double>& costs, size_t size)
      : costs_(costs), size_(size), row_price_(size + 1), column_price_(size + 1), row_of_(size + 1) {
    for (size_t row = 1; row <= size; ++row) take_in(row);
  }

  double cost() const {
    double sum = 0;
    for (size_t column = 1; column <= size_; ++column) sum += entry(row_of_[column], column);
    return sum;
  }

 private:
  double entry(size_t row, size_t column) const { return costs_[(row - 1) * size_ + column - 1]; }

  void take_in(size_t row) {
    std::vector<double> distance(size_ + 1, std::numeric_limits<double>::infinity());
    std::vector<size_t> before(size_ + 1, 0);
    std::vector<char> reached(size_ + 1, 0);
    row_of_[0] = row;
    size_t at = 0;
    while (row_of_[at] != 0) {
      reached[at] = 1;
      const size_t next = nearest(at, distance, before, reached);
      settle(distance[next], distance, reached);
      at = next;
    }
    for (; at != 0; at = before[at]) row_of_[at] = row_of_[before[at]];
  }

  // The column outside the tree that is nearest to it, after the row of column `at` has joined.
  size_t nearest(size_t at, std::vector<double>& distance, std::vector<size_t>& before,
                 const std::vector<char>& reached) const {
    size_t best = 0;
    for (size_t column = 1; column <= size_; ++column) {
      if (reached[column] != 0) continue;
      const double reduced = entry(row_of_[at], column) - row_price_[row_of_[at]] - column_price_[column];
      if (reduced < distance[column]) {
        distance[column] = reduced;
        before[column] = at;
      }
      if (best == 0 || distance[column] < distance[best]) best = column;
    }
    return best;
  }

  void settle(double step, std::vector<double>& distance, const std::vector<char>& reached) {
    for (size_t column = 0; column <= size_; ++column) {
      if (reached[column] != 0) {
        row_price_[row_of_[column]] += step;
        column_price_[column] -= step;
      } else {
        distance[column] -= step;
      }
    }
  }

  const std::vector<double>& costs_;
  const size_t size_;
  std::vector<double> row_price_;
  std::vector<double> column_price_;
  std::vector<size_t> row_of_;  // of each column; 0: free
};

}  // namespace

std::vector<double> best_overlaps(const Patterns& estimates, const Patterns& truth) {
  const std::vector<double> matrix = overlaps(truth, estimates);
  std::vector<double> best(truth.rows, 0);
  for (size_t mu = 0; mu < truth.rows; ++mu) {
    for (size_t k = 0; k < estimates.rows; ++k)
      best[mu] = std::max(best[mu], matrix[mu * estimates.rows + k]);
  }
  return best;
}

double assigned_overlap(const Patterns& estimates, const Patterns& truth) {
  if (truth.rows == 0) return 0;
  const size_t size = std::max(estimates.rows, truth.rows);
  const std::vector<double> matrix = overlaps(truth, estimates);
  std::vector<double> costs(size * size, 0);  // those that are missing have no overlap with anything
  for (size_t mu = 0; mu < truth.rows; ++mu) {
    for (size_t k = 0; k < estimates.rows; ++k) costs[mu * size + k] = -matrix[mu * estimates.rows + k];
  }
  return (0 - Assignment(costs, size).cost()) / static_cast<double>(truth.rows);
}

double hebbian_error(const Patterns& estimates, const Patterns& truth) {
  const double own = square_sum(overlaps(truth, truth));
  const double difference =
      square_sum(overlaps(estimates, estimates)) - 2 * square_sum(overlaps(estimates, truth)) + own;
  return std::sqrt(std::max(difference, 0.0) / own);
}

}  // namespace engram::spectral
