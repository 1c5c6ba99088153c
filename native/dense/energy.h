// Energies of states, as passes that other programs append.
#pragma once

#include <cstdint>
#include <vector>

#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"

namespace engram::dense {

class EnergyPasses {
 public:
  EnergyPasses(const Batch& batch, const RetrieveOptions& options);

  // The log-sum-exps at the states are known already: no scoring pass is needed.
  void set_lse(const double* lse);
  // Passes that next() will ask for.
  uint64_t passes(bool lse_known) const;
  // Like Program::next: asks for passes over `states` (count x dim), then writes `energy` (count) and
  // returns false. Uses the batch's queries as working memory; `states` may be those queries.
  Result<bool> next(engine::ScoreFold& pass, const float* states, float* energy);

 private:
  enum class Stage { kBegin, kScored, kNormed };
  bool needs_norms() const { return options_.similarity == Similarity::kDot; }
  void score(engine::ScoreFold& pass, const float* states);
  void find_largest_norm(engine::ScoreFold& pass);
  void write(float* energy) const;

  const Batch& batch_;
  const RetrieveOptions options_;
  ScoredMemory memory_;
  Stage stage_ = Stage::kBegin;
  bool lse_known_ = false;
  std::vector<double> lse_;
  std::vector<double> square_norms_;  // of the states
  std::vector<float> scale_;
  // The largest |x|^2 is minus twice the smallest Euclidean score of the zero query.
  std::vector<float> zero_query_;
  float smallest_ = 0;
};

}  // namespace engram::dense
