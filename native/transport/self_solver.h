// Solves the transport problem of a measure with itself.
//
// Both potentials are the same function, and the averaged update f <- (f + softmin f) / 2 halves the error in
// each iteration whatever epsilon is, where alternating updates would stall (Feydy et al. 2019). On scalings
// it is a square root (engine/gibbs_pair.h, symmetric).
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "engine/gibbs_pair.h"
#include "transport/columns.h"
#include "transport/problem.h"
#include "transport/requests.h"

namespace engram::transport {

class SelfSolver {
 public:
  // As CrossSolver; `start` may be the potential of a nearby problem.
  Status start(const Measure& mu, const Geometry& geometry, const SolveOptions& options, const double* start,
               bool means);
  Result<bool> advance(size_t& entries);

  const Solution& solution() const noexcept { return solution_; }
  const std::vector<double>& f() const noexcept { return f_; }          // mu.size, in units of the cost
  const std::vector<double>& means() const noexcept { return means_; }  // mu.size x dim

 private:
  enum class Stage { kPass, kKernel32, kKernel64, kDone };

  template <typename T>
  struct Scalings {
    std::vector<T> a;
    std::vector<T> s;  // how far the rows are from their columns' potentials
    std::vector<T> v;
  };

  bool exhausted() const noexcept { return solution_.iterations >= options_.max_iterations; }
  template <typename T>
  Status iterate(Scalings<T>& scalings, double goal);
  Status pass(size_t rows);
  Status judge_pass();
  Status finish(bool converged);

  Measure mu_;
  SolveOptions options_;
  bool wants_means_ = false;
  engine::GibbsPair pair_;
  Columns columns_;
  Scalings<float> scalings32_;
  Scalings<double> scalings64_;
  bool checked_ = false;  // the exponents, once all costs are known
  Stage stage_ = Stage::kDone;
  Stage before_pass_ = Stage::kPass;
  Solution solution_;
  size_t passed_ = 0;
  std::vector<double> lse_;
  std::vector<double> column_sum_;
  std::vector<double> f_;
  std::vector<double> means_;
};

}  // namespace engram::transport
