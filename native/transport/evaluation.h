// The energy of a measure against a memory, its gradient, and what makes evaluating it again cheap.
//
// With S_k the divergence to stored cloud k and w the Gibbs weights softmax(log p_k - beta S_k),
//   E = -(1/beta) log sum_k p_k exp(-beta S_k)
//   V = sum_k w_k f_k - f_self                        the first variation, one number for each point
//   grad V = 2 cost_scale (T_self - sum_k w_k T_k)    T: barycentric projections
// (Mustafi & Mukherjee 2026; sinkhorn potentials: Feydy et al. 2019). Clouds whose Gibbs weight is provably
// below what was allowed are skipped, by lower bounds of S_k that cost from O(dim) to one pass over the pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "transport/device_batch.h"
#include "transport/measures.h"
#include "transport/pairs.h"
#include "transport/phased_job.h"
#include "transport/problem.h"
#include "transport/requests.h"
#include "transport/self_terms.h"

namespace engram::transport {

// The measure that flows.
struct State {
  std::vector<double> points;   // n x dim
  std::vector<double> weights;  // n

  Measure measure() const { return {points.data(), weights.data(), weights.size()}; }
};

// What an evaluation finds at a state.
struct Energetics {
  double energy = 0;
  double slack = 0;                 // how far the energy can be off
  std::vector<double> variation;    // V, centred: its mean under the weights is 0
  std::vector<double> gradient;     // n x dim
  double gradient_points = 0;       // G_x = sum_i a_i |grad V_i|^2
  double gradient_weights = 0;      // G_a = sum_i a_i V_i^2
  std::vector<double> divergences;  // S_k, infinity for clouds that were skipped
  size_t nearest = 0;               // the cloud of the smallest divergence
  uint32_t evaluated = 0;           // clouds whose divergence was computed
  uint64_t iterations = 0;
  bool converged = true;  // all problems have
};

// Sum over clouds of e^(exponent_k) times what belongs to them, exponents relative to the largest one met.
class GibbsSum {
 public:
  void reset(size_t size, size_t dim);
  void add(double exponent, double bound, std::span<const double> f, std::span<const double> means);
  void add(const GibbsSum& other);

  bool empty() const noexcept { return total_ == 0; }
  double log_total() const;  // log sum_k e^(exponent_k)
  // Gibbs averages.
  double bound() const { return bound_ / total_; }
  double f(size_t i) const { return f_[i] / total_; }
  double mean(size_t at) const { return means_[at] / total_; }

 private:
  double rescale(double exponent);

  double most_ = -std::numeric_limits<double>::infinity();
  double total_ = 0;
  double bound_ = 0;
  std::vector<double> f_;
  std::vector<double> means_;
};

// Evaluates one query again and again, at states that move in small steps. An evaluation is made of calls in
// this order; those of one line may run at the same time for different arguments:
//   begin
//   self                 (until done)
//   survey(chunk)        only where needs_survey()
//   nearest_first        (until done)
//   take                 only where a device solves pairs
//   others(chunk)        (until done)
//   end
class Evaluation {
 public:
  Evaluation(const MeasureMemory& memory, const FlowOptions& options);

  size_t chunks() const noexcept { return chunks_.size(); }

  // Takes the next state in, which must live until end(). A state of another size forgets what was learned.
  void begin(const State& state);
  // True until it is known near which cloud the state is.
  bool needs_survey() const noexcept { return !surveyed_ && chunks_.size() > 0 && options_.prune > 0; }
  Result<bool> self(Workspace& workspace, bool fresh, size_t& entries);
  Result<bool> survey(size_t chunk, Workspace& workspace, bool fresh, size_t& entries);
  Result<bool> nearest_first(Workspace& workspace, bool fresh, size_t& entries);
  // For a device: the state, whether cloud k has yet to be solved there, a potential of the cloud to begin
  // with, and what was found. take() fails with kRange.
  const State& state() const noexcept { return *state_; }
  bool is_open(size_t k) const;
  std::span<const double> first_potential(size_t k, Workspace& workspace) const;
  Status take(size_t k, const DeviceAnswer& answer);
  Result<bool> others(size_t chunk, Workspace& workspace, size_t& entries);
  void end(Energetics& found);

  // Bytes that a query of n points may come to hold.
  static size_t most_bytes(const MeasureMemory& memory, size_t n, const FlowOptions& options);

 private:
  // What is remembered of a cloud from earlier states.
  struct Memo {
    std::vector<double> g;           // potential of the cloud at its last solution
    std::vector<double> f;           // the soft c-transform of a potential, at `points`
    double mean_potential = 0;       // <b, g> of that potential
    uint32_t device_iterations = 0;  // that a device made of the solution which others() ends
    std::shared_ptr<const std::vector<double>> points;
  };
  // A solved pair.
  struct Solved {
    const Solution& solution;
    std::span<const double> f;
    std::span<const double> g;
    std::span<const double> means;
  };
  struct Chunk {
    Chunk(size_t first_, size_t end_) : first(first_), end(end_) {}
    size_t first;
    size_t end;
    size_t at = 0;
    bool solving = false;
    GibbsSum sum;
    uint32_t evaluated = 0;
    uint64_t iterations = 0;
    bool converged = true;
  };

  double log_prior(size_t k) const { return memory_.log_prior().empty() ? 0 : memory_.log_prior()[k]; }
  double exponent(size_t k, double divergence) const { return log_prior(k) - options_.beta * divergence; }
  double self_upper() const { return self_.value + self_.bound; }
  double lower_bound_of(size_t k, double cross) const;
  bool negligible(size_t k, double lower_bound) const;
  double mean_bound(size_t k) const;
  double moved_bound(size_t k) const;
  Status start(size_t k, Workspace& workspace);
  double dual_bound(size_t k, Workspace& workspace, size_t& entries);
  void take(size_t k, const CrossSolver& solver, Chunk& chunk);
  void take(size_t k, const Solved& solved, Chunk& chunk);

  const MeasureMemory& memory_;
  const FlowOptions options_;
  const Geometry geometry_;
  const SelfTerms& terms_;

  const State* state_ = nullptr;
  std::vector<double> mean_;  // of the state
  Solution self_;
  std::vector<double> self_f_;
  std::vector<double> self_means_;

  std::shared_ptr<const std::vector<double>> points_;  // of the state, for memos to share
  std::vector<Memo> memos_;
  bool surveyed_ = false;
  std::vector<double> lower_;    // lower bounds of the survey, of S_k
  size_t nearest_ = 0;           // the cloud solved first
  double nearest_exponent_ = 0;  // at most its true one
  std::vector<double> divergences_;
  Chunk first_{0, 1};  // of the cloud solved first
  std::vector<Chunk> chunks_;
};

}  // namespace engram::transport
