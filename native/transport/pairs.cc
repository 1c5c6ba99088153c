#include "transport/pairs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace engram::transport {

Geometry geometry_of(const MeasureMemory& memory) {
  return {memory.clouds().dim(), memory.cost_scale(), memory.epsilon()};
}

Status check_queries(const MeasureMemory& memory, const Clouds& queries) {
  if (queries.dim() == memory.clouds().dim()) return {};
  return {StatusCode::kShape, "the queries have dim " + std::to_string(queries.dim()) + "; expected " +
                                  std::to_string(memory.clouds().dim()) + ", the memory's"};
}

Measure to_float64(const Cloud& cloud, size_t dim, std::vector<double>& points) {
  points.assign(cloud.points, cloud.points + cloud.size * dim);
  return {points.data(), cloud.weights, cloud.size};
}

void tilted_potential(const SelfTerms& terms, size_t k, const Measure& nu, const double* mean_mu,
                      const Geometry& geometry, std::vector<double>& potential) {
  const std::span<const double> own = terms.potential(k);
  const std::span<const double> mean = terms.mean(k);
  potential.assign(own.begin(), own.end());
  for (size_t j = 0; j < nu.size; ++j) {
    double tilt = 0;
    for (size_t d = 0; d < geometry.dim; ++d) {
      tilt += (mean[d] - mean_mu[d]) * (nu.points[j * geometry.dim + d] - mean[d]);
    }
    potential[j] += 2 * geometry.cost_scale * tilt;
  }
}

Debiased debias(const Solution& cross, const Solution& self_mu, const Solution& self_nu) {
  constexpr double kRounding = 1e-14;  // of sums of potentials
  const double selves = (self_mu.value + self_nu.value) / 2;
  const double rounding = kRounding * (std::abs(cross.value) + std::abs(selves));
  return {cross.value - selves, std::max(cross.bound, (self_mu.bound + self_nu.bound) / 2) + rounding};
}

Status check_converged(const Solution& solution, const SolveOptions& options, size_t query, size_t cloud) {
  if (solution.converged || !options.strict) return {};
  char numbers[96];
  std::snprintf(numbers, sizeof(numbers), "residual %.3g after %u iterations; tolerance is %.3g",
                solution.residual, solution.iterations, options.tolerance);
  return {StatusCode::kNotConverged, "transport between query " + std::to_string(query) + " and cloud " +
                                         std::to_string(cloud) + " has not converged: " + numbers};
}

Result<bool> StoredSelfPhase::work(size_t item, Workspace& workspace, bool fresh, size_t& entries) {
  SelfTerms& terms = memory_.self_terms();
  if (fresh) {
    if (terms.ready(item)) return true;
    SolveOptions options;
    options.tolerance = SelfTerms::kTolerance;
    options.max_iterations = SelfTerms::kMostIterations;
    const Measure measure = to_float64(memory_.clouds()[item], memory_.clouds().dim(), workspace.y);
    Status status = workspace.self.start(measure, geometry_of(memory_), options, nullptr, /*means=*/false);
    if (!status.ok()) return status;
  }
  Result<bool> solved = workspace.self.advance(entries);
  if (solved.ok() && solved.value()) terms.set(item, workspace.self.solution(), workspace.self.f());
  return solved;
}

}  // namespace engram::transport
