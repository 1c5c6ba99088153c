// One retrieval: the discretised spherical Hellinger-Kantorovich flow of a measure on the energy.
//
// A step moves points and weights at the same time,
//   x_i <- x_i - eta_x grad V(x_i),   a_i <- a_i exp(-eta_a V_i) / Z
// (Mustafi & Mukherjee 2026: barycentric transport step, multiplicative simplex reweighting). Backtracking
// accepts a step when the energy falls by a share of what the gradient promises, up to the certified error of
// the energy, and never when it rises. Where points alone move, the curvature of S in the metric of the
// weights is at most 2 kappa (1 + 2 kappa D^2 / epsilon), kappa the cost scale and D the diameter of the
// cloud on its way, and the inverse of it is a step that always lowers the energy (StepRule::kBound).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "transport/evaluation.h"
#include "transport/measures.h"
#include "transport/phased_job.h"
#include "transport/requests.h"

namespace engram::transport {

class Flow {
 public:
  // What has to happen next. kOpen is up to work_open(); kSurvey and kOthers are to be worked on chunk by
  // chunk, and then ended.
  enum class Need : uint8_t { kOpen, kSurvey, kOthers, kNothing };

  Flow(const MeasureMemory& memory, const Cloud& cue, const FlowOptions& options, size_t query);

  Need need() const noexcept { return need_; }
  size_t chunks() const noexcept { return evaluation_.chunks(); }
  Result<bool> work_open(Workspace& workspace, bool fresh, size_t& entries);
  Result<bool> work_survey(size_t chunk, Workspace& workspace, bool fresh, size_t& entries);
  Result<bool> work_others(size_t chunk, Workspace& workspace, size_t& entries);
  // Where others are needed: for what a device solves of them.
  Evaluation& evaluation() noexcept { return evaluation_; }
  void end_survey() noexcept { begin_stage(Stage::kNearest); }
  void end_others() noexcept { begin_stage(Stage::kJudge); }

  // The recalled measure and its facts, once nothing is needed any more.
  const State& state() const noexcept { return state_; }
  const Energetics& energetics() const noexcept { return found_; }
  double divergence() const noexcept { return found_.divergences[found_.nearest]; }
  double gibbs(size_t k) const;
  uint32_t steps() const noexcept { return steps_; }
  bool converged() const noexcept { return settled_ && found_.converged; }
  FlowTrace& trace() noexcept { return trace_; }
  uint64_t pairs_evaluated() const noexcept { return pairs_evaluated_; }
  uint64_t pairs_pruned() const noexcept { return pairs_pruned_; }
  uint64_t iterations() const noexcept { return iterations_; }

 private:
  enum class Stage : uint8_t { kSelf, kNearest, kJudge };

  void begin_stage(Stage stage) noexcept;
  Status judge();
  void judge_step();
  bool accepts() const;
  double bounded_step() const;
  void accept();
  void refuse();
  void propose();
  void set_out();
  void lengthen();
  void stop(bool settled);
  bool snap();
  size_t likeliest() const;
  void note();

  const MeasureMemory& memory_;
  const FlowOptions options_;
  const size_t query_;
  Evaluation evaluation_;
  Need need_ = Need::kOpen;
  Stage stage_ = Stage::kSelf;
  bool stage_is_fresh_ = true;

  State state_;       // the last accepted one
  Energetics found_;  // there
  State trial_;
  Energetics trial_found_;
  bool begun_ = false;    // the cue has been evaluated
  bool snapped_ = false;  // the trial is a stored cloud, to be taken as it is
  bool settled_ = false;
  uint32_t steps_ = 0;
  uint32_t refusals_ = 0;  // in a row
  double step_points_ = 0;
  double step_weights_ = 0;
  FlowTrace trace_;
  uint64_t pairs_evaluated_ = 0;
  uint64_t pairs_pruned_ = 0;
  uint64_t iterations_ = 0;
};

}  // namespace engram::transport
