// Problems of retrieval for tests of the flow of measures, and short ways to ask for it.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "transport/evaluation.h"
#include "transport/requests.h"

namespace engram::support {

// Stored clouds around a centre each, and cues that are stored ones with noise in points and weights.
struct RecallProblem {
  RecallProblem(size_t count, size_t n, size_t dim, double apart, double noise) {
    for (uint64_t k = 0; k < count; ++k) {
      DoubleCloud cloud = random_cloud(n + k % 3, dim, k);
      const DoubleCloud centre = random_cloud(1, dim, 5000 + k);
      for (size_t at = 0; at < cloud.points.size(); ++at) cloud.points[at] += apart * centre.points[at % dim];
      stored.push_back(rounded(cloud));
    }
    for (uint64_t q = 0; q < std::min<uint64_t>(6, count); ++q) {
      DoubleCloud cue = stored[q];
      const DoubleCloud shake = random_cloud(cue.weights.size(), dim, 9000 + q);
      for (size_t at = 0; at < cue.points.size(); ++at) cue.points[at] += noise * shake.points[at];
      for (size_t i = 0; i < cue.weights.size(); ++i) cue.weights[i] *= std::exp(0.5 * shake.points[i * dim]);
      queries.push_back(rounded(cue));
    }
  }
  std::vector<DoubleCloud> stored;
  std::vector<DoubleCloud> queries;
};

inline transport::FlowOptions traced_flow(double beta) {
  transport::FlowOptions options;
  options.beta = beta;
  options.steps = 40;
  options.trace = true;
  return options;
}

// Steps exactly as given, every problem solved as well as Float64 can.
inline transport::FlowOptions exact_flow(double beta, double step_points = 1, double step_weights = 1) {
  transport::FlowOptions options = traced_flow(beta);
  options.tolerance = 0;
  options.prune = 0;
  options.solve.tolerance = 1e-13;
  options.solve.max_iterations = 100'000;
  options.step_rule = transport::StepRule::kFixed;
  options.step_points = step_points;
  options.step_weights = step_weights;
  return options;
}

inline transport::RetrievalOutputs recall(const std::vector<DoubleCloud>& queries,
                                          const std::shared_ptr<transport::MeasureMemory>& memory,
                                          const transport::FlowOptions& options, unsigned threads = 0) {
  transport::RetrievalOutputs out;
  const Status status = retrieve_sync(memory, to_clouds(queries), options, out, threads);
  CAPTURE(status.message());
  REQUIRE(status.ok());
  return out;
}

// Evaluates one state after the other, as a flow does.
class Evaluator {
 public:
  Evaluator(std::shared_ptr<transport::MeasureMemory> memory, const transport::FlowOptions& options)
      : memory_(std::move(memory)), evaluation_(*memory_, options) {
    transport::StoredSelfPhase selves(*memory_);
    for (size_t k = 0; k < selves.items(); ++k) {
      run([&](bool fresh, size_t& entries) { return selves.work(k, workspace_, fresh, entries); });
    }
  }

  transport::Energetics at(const DoubleCloud& cloud) {
    const transport::State state{cloud.points, cloud.weights};
    evaluation_.begin(state);
    run([&](bool fresh, size_t& entries) { return evaluation_.self(workspace_, fresh, entries); });
    for (size_t c = 0; evaluation_.needs_survey() && c < evaluation_.chunks(); ++c) {
      run([&](bool fresh, size_t& entries) { return evaluation_.survey(c, workspace_, fresh, entries); });
    }
    run([&](bool fresh, size_t& entries) { return evaluation_.nearest_first(workspace_, fresh, entries); });
    for (size_t c = 0; c < evaluation_.chunks(); ++c) {
      run([&](bool, size_t& entries) { return evaluation_.others(c, workspace_, entries); });
    }
    transport::Energetics found;
    evaluation_.end(found);
    return found;
  }

 private:
  template <typename Work>
  void run(const Work& work) {
    for (bool fresh = true, done = false; !done; fresh = false) {
      size_t entries = 1'000'000;
      Result<bool> worked = work(fresh, entries);
      REQUIRE(worked.ok());
      done = worked.value();
    }
  }

  const std::shared_ptr<transport::MeasureMemory> memory_;
  transport::Workspace workspace_;
  transport::Evaluation evaluation_;
};

}  // namespace engram::support
