// What can be asked of a memory of measures. Node-free; the Node-API shell and the native tests call this.
//
// Outputs are written by pool threads until `done` has been called, and must stay valid until then.
//
// Entropic transport between measures a, b with cost c:
//   OT = min_pi <c, pi> + epsilon KL(pi | a x b)
//   S  = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2          the debiased Sinkhorn divergence (Feydy et al. 2019)
//   E  = -(1/beta) log sum_k p_k exp(-beta S_k)           the energy (Mustafi & Mukherjee 2026)
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "runtime/job.h"
#include "runtime/ticket.h"
#include "transport/measures.h"

namespace engram::transport {

enum class Solver : uint8_t {
  kAuto,    // kernel while the pair's kernel matrix is small, else log; Newton where iterations are slow
  kKernel,  // Gibbs kernel kept, iterations are matrix-vector products, potentials absorbed
  kLog,     // streaming log-sum-exp, memory linear in the points
  kNewton,  // semi-dual Newton from the start
};
enum class Precision : uint8_t {
  kFloat32,  // Gibbs kernels in Float32 (potentials and results in Float64)
  kFloat64,
};

struct SolveOptions {
  double tolerance = 1e-6;         // L1 residual of the marginals, >= 0; 0: all iterations
  uint32_t max_iterations = 1000;  // of each transport problem, >= 1; a Newton step counts as one
  Solver solver = Solver::kAuto;
  Precision precision = Precision::kFloat32;
  bool strict = false;  // a problem that does not converge fails the request with kNotConverged
};

struct DivergenceOutputs {         // Q x count each, row-major; any but `values` may be null
  double* values = nullptr;        // S
  double* error_bound = nullptr;   // |S - values| is at most this
  uint32_t* iterations = nullptr;  // of the cross problem
  float* residual =
      nullptr;  // L1, of a second marginal: the larger of the cross and the query's self problem
  uint8_t* converged = nullptr;  // 1 when both problems have
};

// Each function returns a failure at once, without calling `done`, or the request is under way. Failures:
// kShape (dims differ, no query), kRange (epsilon so small beside the costs that Float64 cannot hold the
// answer), kNotConverged (strict), kOutOfMemory, kAborted.
using QueryClouds = std::shared_ptr<const Clouds>;

Result<std::shared_ptr<runtime::Ticket>> divergence(std::shared_ptr<const MeasureMemory> memory,
                                                    QueryClouds queries, const SolveOptions& options,
                                                    DivergenceOutputs out, runtime::CallOptions call,
                                                    runtime::Done done);
Status divergence_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                       const SolveOptions& options, DivergenceOutputs out, unsigned max_threads = 0);

// energy: Q. beta > 0 and finite.
Result<std::shared_ptr<runtime::Ticket>> energy(std::shared_ptr<const MeasureMemory> memory,
                                                QueryClouds queries, double beta, const SolveOptions& options,
                                                double* energy, runtime::CallOptions call,
                                                runtime::Done done);
Status energy_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries, double beta,
                   const SolveOptions& options, double* energy, unsigned max_threads = 0);

// How long the steps of a flow are.
enum class StepRule : uint8_t {
  kBacktracking,  // as long as the energy falls
  kBound,         // points: from a bound of the curvature of S (flow.h), weights: backtracking
  kFixed,         // as given, whatever the energy does
};

struct FlowOptions {
  SolveOptions solve;
  double beta = 1;      // inverse temperature, > 0
  uint32_t steps = 50;  // most accepted steps, >= 1
  StepRule step_rule = StepRule::kBacktracking;
  double step_points = 0;  // kFixed: the step sizes, > 0
  double step_weights = 0;
  double tolerance = 1e-4;  // a flow ends when sqrt(G_x + G_a) < tolerance; >= 0
  double prune = 1e-12;     // allowed change of the Gibbs weights (total variation); 0: nothing is skipped
  bool snap = false;        // return the stored cloud itself where its Gibbs weight leaves no doubt
  bool trace = false;
};

// What one flow went through; entry 0 is the cue. `length` entries, one more than the steps taken.
struct FlowTrace {
  std::vector<double> energy;
  std::vector<double> gradient;     // sqrt(G_x + G_a)
  std::vector<double> step_points;  // the step that led here; 0 for the cue
  std::vector<double> step_weights;
  std::vector<uint32_t> nearest;    // stored cloud with the largest Gibbs weight
  std::vector<uint32_t> evaluated;  // stored clouds whose divergence was computed
  std::vector<float> points;        // length x n x dim
  std::vector<float> weights;       // length x n
};

struct RetrievalOutputs {
  std::vector<float> points;  // of all recalled clouds, one after the other
  std::vector<float> weights;
  std::vector<uint32_t> offsets;   // Q + 1
  std::vector<uint32_t> index;     // Q: the stored cloud with the smallest divergence of those evaluated
  std::vector<double> divergence;  // Q: to it
  std::vector<double> energy;      // Q: at the returned cloud
  std::vector<double> gibbs;       // Q x count: softmax(log p_k - beta S_k); 0 for those skipped
  std::vector<uint32_t> steps;     // Q
  std::vector<uint8_t> converged;  // Q: the flow reached its tolerance and every problem converged
  std::vector<FlowTrace> traces;   // Q where asked for, else empty
  uint64_t pairs_evaluated = 0;
  uint64_t pairs_pruned = 0;
  uint64_t iterations = 0;  // of all transport problems
};

// The spherical Hellinger-Kantorovich flow. `out` must live until done.
Result<std::shared_ptr<runtime::Ticket>> retrieve(std::shared_ptr<const MeasureMemory> memory,
                                                  QueryClouds queries, const FlowOptions& options,
                                                  std::shared_ptr<RetrievalOutputs> out,
                                                  runtime::CallOptions call, runtime::Done done);
Status retrieve_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                     const FlowOptions& options, RetrievalOutputs& out, unsigned max_threads = 0);

}  // namespace engram::transport
