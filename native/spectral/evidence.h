// What is known of each sign of an archetype, as log odds of +1: e_n = log P(xi_n = +1) / P(xi_n = -1).
//
// A new archetype is known by its direction: y = P xi^, scaled to |y|^2 = N, is sqrt(gamma) xi plus Gaussian
// noise of variance 1 - gamma, where gamma is the squared overlap that detection predicts: e = 2 sqrt(gamma)
// y / (1 - gamma).
//
// Of a known one, fresh data D says more. With xi~ = C^-1 xi^ (C = xi^ xi^^T / N), which no other known
// archetype overlaps, and s the variance of the noise, whose diagonal would only repeat what is known
// already,
//   h = (D - s) xi~ = A xi + noise of variance v,  A = mean(h xi~) / m,
// where m is the predicted overlap of xi^ with xi: 2 A h / v is the log likelihood ratio. (The noise of
// examples of other archetypes lies along those; that part of h is taken out.) What was known is discounted
// by the plasticity w, e <- (1 - w) e + 2 A h / v: exponential forgetting, or a power prior (Ibrahim & Chen
// 2000). Where D does not show the archetype, nothing changes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/view.h"
#include "runtime/parallel.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

inline constexpr float kMostEvidence = 50;  // |e| at most: P = 1 - 2e-22

// What fresh data says of one known archetype.
struct FreshEvidence {
  bool seen = false;          // mean(h xi~) is beyond 3 standard deviations of its noise
  double strength = 0;        // A / m = r^2 pi N of an archetype with exposure pi; 0 where not seen
  std::vector<double> ratio;  // N log likelihood ratios; empty where not seen
};

// One for each of the archetypes (K x N of +-1). overlaps: K, predicted. moments: D, on the scale of N J;
// noise_variance: s. One product with a block of K. kNonFinite, kOutOfMemory, kAborted.
Result<std::vector<FreshEvidence>> fresh_evidence(MatrixView<const int8_t> archetypes,
                                                  std::span<const double> overlaps,
                                                  const LinearOperator& moments, double noise_variance,
                                                  const runtime::Parallel& parallel);

// e <- (1 - plasticity) e + ratio, within +-kMostEvidence; all of N numbers.
void take_evidence(std::span<const double> ratio, double plasticity, std::span<float> evidence);

// Of an archetype whose direction was found: direction: N numbers P xi^, not all zero; gamma in [0, 1].
std::vector<float> first_evidence(std::span<const float> direction, double gamma);

// signs <- sign(e), both N; where e is zero they stay.
void take_signs(std::span<const float> evidence, std::span<int8_t> signs);

// m^ = mean tanh(|e| / 2), in [0, 1]: the overlap of sign(e) with the archetype that is to be expected. After
// one observation it is erf(sqrt(gamma / (2 (1 - gamma)))).
double expected_overlap(std::span<const float> evidence);

}  // namespace engram::spectral
