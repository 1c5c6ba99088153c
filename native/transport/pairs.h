// Queries against stored clouds: what the programs of transport have in common.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/status.h"
#include "transport/measures.h"
#include "transport/phased_job.h"
#include "transport/problem.h"
#include "transport/requests.h"
#include "transport/self_terms.h"

namespace engram::transport {

Geometry geometry_of(const MeasureMemory& memory);

// Dims must agree (kShape).
Status check_queries(const MeasureMemory& memory, const Clouds& queries);

// The points of a cloud in Float64.
Measure to_float64(const Cloud& cloud, size_t dim, std::vector<double>& points);

// A potential for stored cloud k to begin with: exact where mu is a translate of it,
//   g(y) = f_kk(y) + 2 cost_scale <m_k - m_mu, y - m_k>.
void tilted_potential(const SelfTerms& terms, size_t k, const Measure& nu, const double* mean_mu,
                      const Geometry& geometry, std::vector<double>& potential);

// S of its three problems, with a bound of its error.
struct Debiased {
  double value = 0;
  double bound = 0;
};
Debiased debias(const Solution& cross, const Solution& self_mu, const Solution& self_nu);

// kNotConverged, when `strict` and the solution has not.
Status check_converged(const Solution& solution, const SolveOptions& options, size_t query, size_t cloud);

// Solves the self problems of all stored clouds that have not been.
class StoredSelfPhase final : public Phase {
 public:
  explicit StoredSelfPhase(const MeasureMemory& memory) : memory_(memory) {}
  // None once all are solved; the number may fall while others solve them too.
  size_t items() const override { return memory_.self_terms().all_ready() ? 0 : memory_.clouds().count(); }
  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override;

 private:
  const MeasureMemory& memory_;
};

}  // namespace engram::transport
