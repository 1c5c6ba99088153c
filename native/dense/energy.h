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

  // The log-sum-exps at the states are known already: no scoring pass is needed, but for the dot similarity,
  // whose energy contains the largest stored norm.
  void set_lse(const double* lse);
  // Passes that next() will ask for.
  uint64_t passes(bool lse_known) const;
  // Like Program::next: asks for passes over `states` (count x dim), then writes `energy` (count) and
  // returns false. Uses the batch's queries as working memory; `states` may be those queries.
  Result<bool> next(engine::ScoreFold& pass, const float* states, float* energy);

 private:
  void score(engine::ScoreFold& pass, const float* states);
  void write(float* energy) const;

  const Batch& batch_;
  const RetrieveOptions options_;
  ScoredMemory memory_;
  bool scored_ = false;
  bool lse_known_ = false;
  std::vector<double> lse_;
  std::vector<double> square_norms_;  // of the states
  std::vector<float> scale_;
  float max_square_norm_ = 0;  // of the stored items; the dot energy contains it
};

}  // namespace engram::dense
