// Solves one transport problem between two measures.
//
// Every form works on the potential g of the second measure and ends on the soft c-transform f of it, so the
// first marginal always holds and the certificate of problem.h applies:
//   pass    one Float64 sweep over the pair: f, the second marginal, its residual. It certifies; repeated,
//   with the
//           Sinkhorn update of g in between, it is the streaming log form.
//   kernel  ScalingIterations, first in Float32, in Float64 where that is not enough.
//   Newton  for what converges too slowly.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "engine/gibbs_pair.h"
#include "transport/anderson.h"
#include "transport/columns.h"
#include "transport/newton.h"
#include "transport/problem.h"
#include "transport/requests.h"
#include "transport/scaling_iterations.h"

namespace engram::transport {

class CrossSolver {
 public:
  // Takes the problem in, with the potential 0. The measures must live until the end. `means`: the
  // barycentric projection is wanted too. kOutOfMemory.
  Status start(const Measure& mu, const Measure& nu, const Geometry& geometry, const SolveOptions& options,
               bool means);
  // Begins with this potential of nu (nu.size, in units of the cost). After start(), before advance().
  void begin_with(const double* potential);
  // D at the potential to begin with: a lower bound of OT, at the price of one pass, which is taken off
  // `entries` (see advance). Fills f().
  double lower_bound(size_t& entries);
  // Works for a while, on about so many entries (rows x columns, each seen once), and takes what it has done
  // off `entries`. True at the end, solved or not. kRange: epsilon is so small beside the costs that Float64
  // cannot hold the answer. kOutOfMemory.
  Result<bool> advance(size_t& entries);

  const Solution& solution() const noexcept { return solution_; }
  // Potentials at the points of mu and of nu, in units of the cost, and the projection (mu.size x dim).
  const std::vector<double>& f() const noexcept { return f_; }
  const std::vector<double>& g() const noexcept { return g_; }
  const std::vector<double>& means() const noexcept { return means_; }

 private:
  enum class Stage { kPass, kKernel32, kKernel64, kNewton, kDone };

  bool exhausted() const noexcept { return solution_.iterations >= options_.max_iterations; }
  Result<size_t> work(size_t entries);
  Result<size_t> pass(size_t entries);
  Status judge_pass();
  Status sinkhorn_update();
  template <typename T>
  Result<size_t> iterate(ScalingIterations<T>& iterations, size_t entries);
  bool slow(double residual);
  bool newton_pays(double residual) const;
  Result<size_t> newton();
  Status finish(bool converged);
  double dual();

  Measure mu_;
  Measure nu_;
  SolveOptions options_;
  bool wants_means_ = false;
  engine::GibbsPair pair_;
  Columns columns_;
  ScalingIterations<float> kernel32_;
  ScalingIterations<double> kernel64_;
  Newton newton_;
  Anderson anderson_;  // of the log form
  std::vector<double> next_z_;
  bool checked_ = false;  // the exponents, once all costs are known
  Stage stage_ = Stage::kDone;
  Stage before_pass_ = Stage::kPass;  // what the pass is to certify; kPass: nothing, it is the solver itself
  Solution solution_;

  size_t passed_ = 0;  // rows of the pass under way
  std::vector<double> lse_;
  std::vector<double> column_sum_;
  double looked_residual_ = 0;  // residual and iteration when the rate of convergence was last looked at
  uint32_t looked_iteration_ = 0;
  double decay_ = 1;  // of the residual, per iteration

  std::vector<double> f_;
  std::vector<double> g_;
  std::vector<double> means_;
};

}  // namespace engram::transport
