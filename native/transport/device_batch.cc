#include "transport/device_batch.h"

#include <numbers>

#include "engine/cpu_backend.h"
#include "transport/exponents.h"
#include "transport/pairs.h"

namespace engram::transport {
namespace {

constexpr size_t kMostPairs = 4096;
constexpr size_t kMostNumbers = size_t{1} << 20;  // of potentials, or of what is projected
constexpr size_t kMostEntries = size_t{1} << 25;

}  // namespace

bool asks_device(const MeasureMemory& memory, const SolveOptions& options) {
  return memory.pair_solver() != nullptr && options.precision == Precision::kFloat32 &&
         (options.solver == Solver::kAuto || options.solver == Solver::kKernel);
}

const engine::Backend& backend_for(const MeasureMemory& memory, const SolveOptions& options) {
  return asks_device(memory, options) ? memory.backend() : engine::cpu_backend();
}

Result<Solution> solution_of(const engine::PairSolution& found, const Geometry& geometry) {
  const Status status = check_exponents(found.spread, std::numbers::log2e / geometry.epsilon);
  if (!status.ok()) return status;
  Solution solution;
  solution.value = found.value;
  solution.bound = found.residual * (found.spread + found.range) / 2;
  solution.residual = found.residual;
  solution.iterations = found.iterations;
  solution.converged = found.converged;
  return solution;
}

DeviceBatch::DeviceBatch(const MeasureMemory& memory, const SolveOptions& options, bool projects)
    : memory_(memory), geometry_(geometry_of(memory)), options_(options), projects_(projects) {}

bool DeviceBatch::full() const noexcept {
  return count() >= kMostPairs || potentials_.size() >= kMostNumbers ||
         (projects_ && rows_ * geometry_.dim >= kMostNumbers) || entries_ >= kMostEntries;
}

void DeviceBatch::begin_query(const Measure& mu) {
  points_.insert(points_.end(), mu.points, mu.points + mu.size * geometry_.dim);
  weights_.insert(weights_.end(), mu.weights, mu.weights + mu.size);
  offsets_.push_back(static_cast<uint32_t>(weights_.size()));
}

bool DeviceBatch::fits(size_t cloud) const {
  return memory_.pair_solver()->fits(offsets_.back() - offsets_[offsets_.size() - 2],
                                     memory_.clouds()[cloud].size);
}

void DeviceBatch::add(size_t cloud, std::span<const double> potential) {
  query_.push_back(static_cast<uint32_t>(offsets_.size() - 2));
  cloud_.push_back(static_cast<uint32_t>(cloud));
  first_potential_.push_back(potentials_.size());
  first_row_.push_back(rows_);
  const size_t rows_of_it = rows(count() - 1);
  rows_ += rows_of_it;
  entries_ += rows_of_it * potential.size();
  potentials_.insert(potentials_.end(), potential.begin(), potential.end());
}

Status DeviceBatch::solve(const std::function<bool()>& keep_going) {
  solutions_.resize(count());
  if (projects_) {
    transforms_.resize(rows_);
    projections_.resize(rows_ * geometry_.dim);
  }
  return memory_.pair_solver()->solve({.queries = {points_, weights_, offsets_, geometry_.dim},
                                       .query = query_,
                                       .cloud = cloud_,
                                       .cost_scale = geometry_.cost_scale,
                                       .epsilon = geometry_.epsilon,
                                       .tolerance = options_.tolerance,
                                       .max_iterations = options_.max_iterations,
                                       .potentials = potentials_,
                                       .solutions = solutions_,
                                       .transforms = transforms_,
                                       .projections = projections_,
                                       .keep_going = keep_going});
}

DeviceAnswer DeviceBatch::answer(size_t pair) const {
  DeviceAnswer answer{.solution = solutions_[pair], .potential = {}, .transform = {}, .projections = {}};
  answer.potential =
      std::span(potentials_).subspan(first_potential_[pair], memory_.clouds()[cloud_[pair]].size);
  if (projects_) {
    answer.transform = std::span(transforms_).subspan(first_row_[pair], rows(pair));
    answer.projections =
        std::span(projections_).subspan(first_row_[pair] * geometry_.dim, rows(pair) * geometry_.dim);
  }
  return answer;
}

}  // namespace engram::transport
