// Which +-1 candidates are archetypes.
//
// The projector P = V^T V keeps the share gamma of an archetype, score(x) = |P x|^2 / N = gamma, where gamma
// is the squared overlap that detection predicts for its direction, and 3/4 of that of the sign of a sum of
// three archetypes. So the threshold is a share of gamma halfway between; the published fixed ones, 0.5 to
// 0.6, let all mixtures through.
//
// That is enough while gamma is near 1. Where it is not, candidates have fitted themselves to the noise: the
// sign of a row that is sqrt(gamma) archetype and the rest Gaussian scores predicted_score(gamma) > gamma,
// and a state that has climbed to the top of a subspace with no archetype in it chance_score(K, N), which may
// exceed 0.875 gamma. A candidate has to stand out from that as well.
//
// Where the predicted overlaps of the directions differ, candidate x has a share (v_k x)^2 / (N gamma_k) of
// itself along true direction k; these sum to one for an archetype and to 3/4 for a 3-mixture. Judging their
// sum is judging the score against the mean of gamma, harmonic with weights (v_k x)^2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/view.h"
#include "spectral/subspace.h"

namespace engram::spectral {

struct Acceptance {
  double share = 0.875;   // of gamma that a score must reach, in [0, 1]
  double margin = 0.25;   // of the way from chance to the prediction that it must be, in [0, 1]
  double distinct = 0.5;  // |overlap| with those already kept must stay below it, in (0, 1]
};

struct Archetypes {
  size_t dim = 0;                 // N
  std::vector<int8_t> states;     // count x N of +-1, best score first
  std::vector<double> scores;     // |P x|^2 / N, in [0, 1]
  std::vector<double> predicted;  // what an archetype estimated along the same directions would score
  size_t rejected = 0;            // candidates below the threshold, or beyond the K that a subspace can hold
  size_t merged = 0;              // candidates that are, up to sign, one that was kept

  size_t count() const { return scores.size(); }
  MatrixView<const int8_t> view() const { return {states.data(), count(), dim}; }
};

// (E|g|)^2 for g = sqrt(gamma) s + sqrt(1 - gamma) z, s = +-1, z ~ N(0, 1): the score of the sign of a
// perfectly unmixed direction, in [2/pi, 1]. gamma in [0, 1].
double predicted_score(double gamma);

// What fixed points of s <- sign(P s) score in a subspace of random directions, 2/pi + 0.52 sqrt((K-1)/N), at
// most 1; the slope was measured for K/N from 0.004 to 0.08, with medians within 0.01.
double chance_score(size_t rows, size_t dim);

struct Score {
  double score = 0;  // |P x|^2 / N
  double gamma = 0;  // predicted for an archetype that lies along the same directions
};
// x: N of +-1; gamma: predicted squared overlaps in (0, 1], one for each row of v or one for all.
Score score(const FloatRows& v, std::span<const double> gamma, const int8_t* x);

// <x, y> / N.
double overlap(const int8_t* x, const int8_t* y, size_t dim);

// Keeps candidates (any number x N of +-1) in descending order of their score, equal ones in the order given,
// at most as many as v has rows. The sign of an archetype cannot be known from second moments; it is chosen
// so that most entries are +1 (the first one is, where they balance). kAborted.
Result<Archetypes> select(const FloatRows& v, std::span<const double> gamma,
                          MatrixView<const int8_t> candidates, const Acceptance& acceptance,
                          const KeepGoing& keep_going);

}  // namespace engram::spectral
