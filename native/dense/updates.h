// Softmax updates of query states over the keys, each query until it settles.
#pragma once

#include <cstdint>
#include <vector>

#include "base/memory.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"

namespace engram::dense {

// Where the updates leave their results: count x dim states (which start as the queries), the number of
// updates each query took, and whether its last change was within the tolerance.
struct UpdateOutputs {
  float* states = nullptr;
  uint32_t* steps = nullptr;
  uint8_t* converged = nullptr;
};

class Updates {
 public:
  // At most `steps` updates (may be 0) of the batch's queries, which serve as working memory afterwards.
  Updates(const Batch& batch, const RetrieveOptions& options, uint32_t steps, UpdateOutputs out);
  // Like Program::next.
  Result<bool> next(engine::ScoreFold& pass);

 private:
  Status begin();
  void settle();

  const Batch& batch_;
  const RetrieveOptions options_;
  const uint32_t steps_;
  const UpdateOutputs out_;
  ScoredMemory memory_;
  uint32_t taken_ = 0;
  std::vector<uint64_t> active_;  // queries still moving, ascending
  AlignedBuffer updated_;         // their new states, side by side
  std::vector<double> lse_;
  std::vector<float> scale_;
};

// A readout pass over the keys for the first `count` of the batch's queries as prepared; the caller sets
// where the readout goes.
void describe_softmax(engine::ScoreFold& pass, const ScoredMemory& memory, const Batch& batch, uint64_t count,
                      Similarity similarity, const float* scale, double* lse);

}  // namespace engram::dense
