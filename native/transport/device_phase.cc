#include "transport/device_phase.h"

#include <span>

#include "transport/device_batch.h"
#include "transport/pairs.h"
#include "transport/self_terms.h"

namespace engram::transport {

DevicePhase::DevicePhase(const MeasureMemory& memory, const Clouds& queries, const SolveOptions& options,
                         DeviceAnswers& answers)
    : memory_(memory),
      queries_(queries),
      options_(options),
      applies_(asks_device(memory, options)),
      answers_(answers) {}

Result<bool> DevicePhase::work(size_t /*item*/, Workspace& workspace, bool fresh, size_t& entries) {
  if (fresh) answers_.solutions_.resize(queries_.count() * memory_.clouds().count());
  entries = 0;  // a batch is a slice
  const Status status = solve_next(workspace);
  if (!status.ok()) return status;
  return next_ == answers_.solutions_.size();
}

Status DevicePhase::solve_next(Workspace& workspace) {
  const Clouds& stored = memory_.clouds();
  const Geometry geometry = geometry_of(memory_);
  DeviceBatch batch(memory_, options_, /*projects=*/false);
  std::vector<size_t> pairs;
  std::vector<double> mean(geometry.dim);
  size_t begun = queries_.count();  // the query that was begun last
  for (; next_ < answers_.solutions_.size() && !batch.full(); ++next_) {
    const size_t q = next_ / stored.count();
    const size_t k = next_ % stored.count();
    if (begun != q) {
      const Measure mu = to_float64(queries_[q], geometry.dim, workspace.x);
      mean_of(mu, geometry.dim, mean.data());
      batch.begin_query(mu);
      begun = q;
    }
    if (!batch.fits(k)) continue;
    const Measure nu = to_float64(stored[k], geometry.dim, workspace.y);
    tilted_potential(memory_.self_terms(), k, nu, mean.data(), geometry, workspace.potential);
    batch.add(k, workspace.potential);
    pairs.push_back(next_);
  }
  if (batch.empty()) return {};
  const Status status = batch.solve(workspace.keep_going);
  if (!status.ok()) return status;
  for (size_t p = 0; p < pairs.size(); ++p) {
    const DeviceAnswer found = batch.answer(p);
    answers_.solutions_[pairs[p]] = found.solution;
    if (!is_final(found.solution, options_)) {
      answers_.unsolved_[pairs[p]] = {found.potential.begin(), found.potential.end()};
    }
  }
  return {};
}

}  // namespace engram::transport
