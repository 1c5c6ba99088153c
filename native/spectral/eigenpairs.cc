#include "spectral/eigenpairs.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/memory.h"
#include "engine/basis.h"

namespace engram::spectral {
namespace {

using Eigen::MatrixXd;  // by columns: the solver turns pairs of them
using engine::Basis;
using runtime::Parallel;

constexpr size_t kDense = 256;        // operators this small are written out and solved whole
constexpr size_t kMostBlock = 64;     // default
constexpr double kDependent = 1e-10;  // share of a unit vector that is left of one that depends on others
constexpr size_t kGramPerBlock = 32;  // a Gram matrix pays up to this many rows for each vector of the block
constexpr size_t kSignGain = 8;       // times as many where examples are signs: their bits are counted
constexpr size_t kMostGram = 5792;    // rows of a Gram matrix that is kept: 256 MiB
constexpr size_t kRoom = 160;         // vectors that a basis of narrow blocks grows by ...
constexpr size_t kRoomBytes = size_t{128} << 20;  // ... while they take no more than this

Status not_finite() {
  return {StatusCode::kNonFinite, "a product with the operator is not finite; every element must be"};
}

bool all_finite(const double* values, size_t count) {
  return std::all_of(values, values + count, [](double v) { return std::isfinite(v); });
}
bool all_finite(const std::vector<double>& values) { return all_finite(values.data(), values.size()); }

// Signs that look random and are always the same (SplitMix64).
double deterministic_sign(uint64_t at) {
  uint64_t z = (at + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return ((z ^ (z >> 31)) & 1) != 0 ? 1.0 : -1.0;
}

Status check(const LinearOperator& a, const EigenOptions& options) {
  const size_t n = a.dim();
  if (options.k < 1 || options.k > n) {
    return {StatusCode::kRange,
            "k is " + std::to_string(options.k) + "; expected 1 to the dim, " + std::to_string(n)};
  }
  if (options.start.size() % n != 0) {
    return {StatusCode::kShape, "start has " + std::to_string(options.start.size()) +
                                    " numbers; expected rows of dim " + std::to_string(n)};
  }
  if (!all_finite(options.start)) return {StatusCode::kNonFinite, "start has an element that is not finite"};
  return {};
}

// The largest component of each vector is made positive: eigenvectors have no sign of their own.
void fix_signs(std::vector<double>& vectors, size_t dim) {
  for (size_t first = 0; first < vectors.size(); first += dim) {
    size_t largest = first;
    for (size_t i = first; i < first + dim; ++i) {
      if (std::abs(vectors[i]) > std::abs(vectors[largest])) largest = i;
    }
    if (vectors[largest] >= 0) continue;
    for (size_t i = first; i < first + dim; ++i) vectors[i] = -vectors[i];
  }
}

// Writes the operator out by its products with the unit vectors, and solves it whole.
Result<Eigenpairs> solve_dense(const LinearOperator& a, size_t k, const Parallel& parallel) {
  const size_t n = a.dim();
  std::vector<double> unit(n * n, 0);
  for (size_t i = 0; i < n; ++i) unit[i * n + i] = 1;
  std::vector<double> product(n * n);
  Status status = a.apply(unit.data(), n, product.data(), parallel);
  if (!status.ok()) return status;
  if (!all_finite(product)) return not_finite();
  const Eigen::Map<const MatrixXd> given(product.data(), static_cast<Eigen::Index>(n),
                                         static_cast<Eigen::Index>(n));
  const MatrixXd symmetric = (given + given.transpose()) / 2;
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(symmetric);
  Eigenpairs pairs;
  pairs.products = 1;
  pairs.converged = true;
  const double norm = solver.eigenvalues().cwiseAbs().maxCoeff();
  for (size_t j = 0; j < k; ++j) {
    const auto column = static_cast<Eigen::Index>(n - 1 - j);
    const double value = solver.eigenvalues()[column];
    const Eigen::VectorXd vector = solver.eigenvectors().col(column);
    pairs.eigenvalues.push_back(value);
    pairs.vectors.insert(pairs.vectors.end(), vector.begin(), vector.end());
    const double residual = (symmetric * vector - value * vector).norm();
    pairs.residuals.push_back(norm > 0 ? residual / norm : residual);
  }
  fix_signs(pairs.vectors, n);
  return pairs;
}

class Krylov {
 public:
  Krylov(const LinearOperator& a, const EigenOptions& options, const Parallel& parallel)
      : a_(a),
        options_(options),
        parallel_(parallel),
        n_(a.dim()),
        k_(options.k),
        block_(std::min(n_, options.block > 0 ? options.block : std::min(k_ + 8, std::max(k_, kMostBlock)))),
        leading_(std::max(k_, block_)),
        capacity_(std::min(n_, leading_ + std::min(room(n_, block_), (options.most_products - 1) * block_))) {
  }

  // How many vectors a basis grows by before it is compressed: the more, the fewer products are needed. Three
  // blocks at least; narrow blocks make do with vectors that are not too long.
  static size_t room(size_t dim, size_t block) {
    return std::max(3 * block, std::min(kRoom, kRoomBytes / (dim * sizeof(double))));
  }

  Result<Eigenpairs> solve() {
    for (Basis* basis : {&v_, &av_, &residual_}) {
      Result<Basis> made = Basis::create(n_, basis == &residual_ ? leading_ : capacity_);
      if (!made.ok()) return made.status();
      *basis = std::move(made).value();
    }
    projected_ = MatrixXd::Zero(index(capacity_), index(capacity_));
    Result<size_t> begun = begin();
    if (!begun.ok()) return begun.status();
    size_t added = begun.value();
    for (;;) {
      Result<bool> grown = grow(added);
      if (!grown.ok()) return grown.status();
      // A basis that can grow no more spans an invariant space: its Ritz pairs are exact.
      const bool exhausted = !grown.value() || size_ == n_;
      const bool last = exhausted || products_ >= options_.most_products;
      if (last && size_ < k_) {
        Result<size_t> signs = append_signs(0, k_ - size_);
        if (!signs.ok()) return signs.status();
        added = signs.value();
        continue;
      }
      ritz();
      Status status = residuals();
      if (!status.ok()) return status;
      if (converged() || last) return result(exhausted);
      if (size_ + block_ > capacity_) {
        status = compress();
        if (!status.ok()) return status;
      }
      Result<size_t> next = next_block();
      if (!next.ok()) return next.status();
      added = next.value();
    }
  }

 private:
  static Eigen::Index index(size_t i) { return static_cast<Eigen::Index>(i); }

  // The first block: what was given, and signs.
  Result<size_t> begin() {
    const size_t given = std::min(block_, options_.start.size() / n_);
    Status status = v_.read(0, given, options_.start.data(), parallel_);
    if (!status.ok()) return status;
    return append_signs(given, block_ - given);
  }

  // Puts vectors of signs behind the basis and the `before` vectors that stand there; returns how many do
  // then.
  Result<size_t> append_signs(size_t before, size_t count) {
    std::vector<double> signs(count * n_);
    for (double& sign : signs) sign = deterministic_sign(signs_drawn_++);
    Status status = v_.read(size_ + before, count, signs.data(), parallel_);
    if (!status.ok()) return status;
    return before + count;
  }

  // Takes `added` vectors behind the basis in: orthonormalises them, multiplies, projects. False when none
  // was new.
  Result<bool> grow(size_t added) {
    bool exact = false;
    for (int pass = 0; pass < 2 && added > 0 && !exact; ++pass) {
      Result<Orthonormal> left = orthonormalise(added);
      if (!left.ok()) return left.status();
      added = left.value().kept;
      exact = left.value().exact;
    }
    if (added == 0) return false;
    Result<AlignedBuffer> numbers = AlignedBuffer::allocate(2 * added * n_ * sizeof(double));
    if (!numbers.ok()) return numbers.status();
    double* const block = numbers.value().as<double>();
    double* const product = block + added * n_;
    Status status = v_.write(size_, added, block, parallel_);
    if (!status.ok()) return status;
    status = a_.apply(block, added, product, parallel_);
    if (!status.ok()) return status;
    if (!all_finite(product, added * n_)) return not_finite();
    ++products_;
    status = av_.read(size_, added, product, parallel_);
    if (!status.ok()) return status;
    const size_t all = size_ + added;
    std::vector<double> inner(all * added);
    status = v_.inner(0, all, av_, size_, added, inner.data(), parallel_);
    if (!status.ok()) return status;
    for (size_t i = 0; i < all; ++i) {
      for (size_t j = 0; j < added; ++j) {
        projected_(index(i), index(size_ + j)) = inner[i * added + j];
        if (i < size_) projected_(index(size_ + j), index(i)) = inner[i * added + j];
      }
    }
    size_ = all;
    return true;
  }

  struct Orthonormal {
    size_t kept;  // are independent
    bool exact;   // to rounding: they were nearly so before
  };

  // Makes the vectors behind the basis orthogonal to it and orthonormal.
  Result<Orthonormal> orthonormalise(size_t added) {
    if (size_ > 0) {
      std::vector<double> inner(size_ * added);
      Status status = v_.inner(0, size_, v_, size_, added, inner.data(), parallel_);
      if (!status.ok()) return status;
      for (double& c : inner) c = -c;
      status = v_.add(size_, added, v_, 0, size_, inner.data(), parallel_);
      if (!status.ok()) return status;
    }
    std::vector<double> gram(added * added);
    Status status = v_.inner(size_, added, v_, size_, added, gram.data(), parallel_);
    if (!status.ok()) return status;
    MatrixXd correlation(index(added), index(added));
    std::vector<double> scale(added);
    for (size_t i = 0; i < added; ++i)
      scale[i] = gram[i * added + i] > 0 ? 1 / std::sqrt(gram[i * added + i]) : 0;
    for (size_t i = 0; i < added; ++i) {
      for (size_t j = 0; j < added; ++j)
        correlation(index(i), index(j)) = gram[i * added + j] * scale[i] * scale[j];
    }
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(correlation);
    std::vector<double> coefficients;
    size_t kept = 0;
    for (size_t j = added; j-- > 0;) kept += solver.eigenvalues()[index(j)] > kDependent ? 1 : 0;
    coefficients.resize(added * kept);
    for (size_t j = 0; j < kept; ++j) {
      const Eigen::Index column = index(added - 1 - j);
      for (size_t i = 0; i < added; ++i) {
        coefficients[i * kept + j] =
            scale[i] * solver.eigenvectors()(index(i), column) / std::sqrt(solver.eigenvalues()[column]);
      }
    }
    status = v_.recombine(size_, added, kept, coefficients.data(), parallel_);
    if (!status.ok()) return status;
    return Orthonormal{kept, size_ == 0 && solver.eigenvalues()[0] > 0.5};
  }

  // Ritz values, falling, and the coefficients of their vectors.
  void ritz() {
    const MatrixXd t = projected_.topLeftCorner(index(size_), index(size_));
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver((t + t.transpose()) / 2);
    values_ = solver.eigenvalues().reverse();
    ritz_ = solver.eigenvectors().rowwise().reverse();
  }

  // The first `count` Ritz vectors' coefficients times `scale_of(j)`.
  template <typename Scale>
  std::vector<double> coefficients(size_t count, const Scale& scale_of) const {
    std::vector<double> c(size_ * count);
    for (size_t i = 0; i < size_; ++i) {
      for (size_t j = 0; j < count; ++j) c[i * count + j] = ritz_(index(i), index(j)) * scale_of(j);
    }
    return c;
  }

  // A v - lambda v of the leading Ritz pairs, and their relative norms.
  Status residuals() {
    known_ = std::min(leading_, size_);
    residual_.clear();
    const auto one = [](size_t) { return 1.0; };
    const auto minus_value = [this](size_t j) { return -values_[index(j)]; };
    Status status = residual_.add(0, known_, av_, 0, size_, coefficients(known_, one).data(), parallel_);
    if (!status.ok()) return status;
    status = residual_.add(0, known_, v_, 0, size_, coefficients(known_, minus_value).data(), parallel_);
    if (!status.ok()) return status;
    std::vector<double> gram(known_ * known_);
    status = residual_.inner(0, known_, residual_, 0, known_, gram.data(), parallel_);
    if (!status.ok()) return status;
    norms_.resize(known_);
    const double largest = values_.cwiseAbs().maxCoeff();
    for (size_t j = 0; j < known_; ++j) {
      const double norm = std::sqrt(std::max(0.0, gram[j * known_ + j]));
      norms_[j] = largest > 0 ? norm / largest : norm;
    }
    return {};
  }

  bool converged() const {
    if (known_ < k_) return false;
    if (options_.enough) {
      return options_.enough({values_.begin(), values_.begin() + index(k_)},
                             {norms_.begin(), norms_.begin() + index(k_)});
    }
    return std::all_of(norms_.begin(), norms_.begin() + static_cast<ptrdiff_t>(k_),
                       [this](double norm) { return norm <= options_.tolerance; });
  }

  // Keeps the best Ritz vectors only.
  Status compress() {
    const size_t kept = std::min(capacity_ - block_, leading_ + block_ / 2);
    const std::vector<double> c = coefficients(kept, [](size_t) { return 1.0; });
    Status status = v_.recombine(0, size_, kept, c.data(), parallel_);
    if (!status.ok()) return status;
    status = av_.recombine(0, size_, kept, c.data(), parallel_);
    projected_.setZero();
    for (size_t j = 0; j < kept; ++j) projected_(index(j), index(j)) = values_[index(j)];
    size_ = kept;
    return status;
  }

  // Puts the residuals that are largest beside the tolerance behind the basis.
  Result<size_t> next_block() {
    std::vector<double> rows(n_);
    size_t added = 0;
    const size_t room = std::min(block_, capacity_ - size_);
    for (size_t j = 0; j < known_ && added < room; ++j) {
      if (norms_[j] <= options_.tolerance / 2) continue;
      Status status = residual_.write(j, 1, rows.data(), parallel_);
      if (!status.ok()) return status;
      status = v_.read(size_ + added, 1, rows.data(), parallel_);
      if (!status.ok()) return status;
      ++added;
    }
    return added;
  }

  Result<Eigenpairs> result(bool exhausted) {
    Status status =
        v_.recombine(0, size_, k_, coefficients(k_, [](size_t) { return 1.0; }).data(), parallel_);
    if (!status.ok()) return status;
    Eigenpairs pairs;
    pairs.vectors.resize(k_ * n_);
    status = v_.write(0, k_, pairs.vectors.data(), parallel_);
    if (!status.ok()) return status;
    pairs.eigenvalues.assign(values_.begin(), values_.begin() + index(k_));
    pairs.residuals.assign(norms_.begin(), norms_.begin() + static_cast<ptrdiff_t>(k_));
    pairs.products = products_;
    pairs.converged = converged() || exhausted;
    fix_signs(pairs.vectors, n_);
    return pairs;
  }

  const LinearOperator& a_;
  const EigenOptions& options_;
  const Parallel& parallel_;
  const size_t n_;
  const size_t k_;
  const size_t block_;
  const size_t leading_;   // Ritz pairs whose residuals are looked at
  const size_t capacity_;  // of the basis
  Basis v_;
  Basis av_;
  Basis residual_;
  size_t size_ = 0;  // vectors in the basis
  uint64_t signs_drawn_ = 0;
  MatrixXd projected_;
  Eigen::VectorXd values_;
  MatrixXd ritz_;
  size_t known_ = 0;
  std::vector<double> norms_;
  uint32_t products_ = 0;
};

}  // namespace

Result<Eigenpairs> top_eigenpairs(const LinearOperator& a, const EigenOptions& options,
                                  const Parallel& parallel) {
  Status status = check(a, options);
  if (!status.ok()) return status;
  if (a.dim() <= kDense) return solve_dense(a, options.k, parallel);
  return Krylov(a, options, parallel).solve();
}

namespace {

// From the eigenpairs (mu, u) of X X^T: lambda = scale mu, v = X^T u / sqrt(mu). Residuals are those of v.
Result<Eigenpairs> lift(const FactorOperator& a, Eigenpairs gram, const Parallel& parallel) {
  const engine::Rows& x = a.rows();
  const size_t k = gram.eigenvalues.size();
  std::vector<float> u(x.count * k);
  for (size_t j = 0; j < k; ++j) {
    for (size_t i = 0; i < x.count; ++i) u[i * k + j] = static_cast<float>(gram.vectors[j * x.count + i]);
  }
  std::vector<float> lifted(k * x.dim);
  Status status = engine::combine_rows(x, u.data(), k, lifted.data(), parallel);
  if (!status.ok()) return status;
  EigenOptions polish;
  polish.k = k;
  polish.block = k;
  polish.most_products = 1;
  polish.start.assign(lifted.begin(), lifted.end());
  // One Rayleigh-Ritz step orthonormalises and tells the true residuals.
  return top_eigenpairs(a, polish, parallel);
}

// Whether the first row is one of signs: the others will be as well.
bool begins_with_signs(const engine::Rows& x) {
  if (x.count == 0) return false;
  const auto all = [&](const auto* row) {
    return std::all_of(row, row + x.dim, [](auto v) { return v == 1 || v == -1; });
  };
  switch (x.element) {
    case engine::Element::kFloat32: return all(static_cast<const float*>(x.data));
    case engine::Element::kInt8: return all(static_cast<const int8_t*>(x.data));
    case engine::Element::kSign: break;
  }
  return true;
}

}  // namespace

Result<Eigenpairs> top_eigenpairs_of_factor(const FactorOperator& a, const EigenOptions& options,
                                            const Parallel& parallel) {
  Status status = check(a, options);
  if (!status.ok()) return status;
  const engine::Rows& x = a.rows();
  const size_t smaller = std::min(x.count, x.dim);
  const size_t block = options.block > 0 ? options.block : options.k + 8;
  const size_t rows_that_pay = kGramPerBlock * block * (begins_with_signs(x) ? kSignGain : 1);
  const bool pays = smaller <= std::min(kMostGram, rows_that_pay) && options.k <= smaller;
  if (!pays || a.dim() <= kDense) return top_eigenpairs(a, options, parallel);
  std::vector<double> gram(smaller * smaller);
  const bool by_columns = x.dim <= x.count;
  status = by_columns ? engine::gram_of_columns(x, gram.data(), parallel)
                      : engine::gram_of_rows(x, gram.data(), parallel);
  if (!status.ok()) return status;
  for (double& g : gram) g *= a.scale();
  EigenOptions inner = options;
  if (!by_columns) {
    inner.start.clear();
    inner.tolerance = options.tolerance / 4;
  }
  Result<Eigenpairs> pairs = top_eigenpairs(DenseOperator(gram.data(), smaller), inner, parallel);
  if (!pairs.ok() || by_columns) return pairs;
  const bool converged = pairs.value().converged;
  Result<Eigenpairs> lifted = lift(a, std::move(pairs).value(), parallel);
  if (!lifted.ok()) return lifted;
  lifted.value().converged =
      converged && std::all_of(lifted.value().residuals.begin(), lifted.value().residuals.end(),
                               [&](double r) { return r <= options.tolerance; });
  return lifted;
}

}  // namespace engram::spectral
