// How much of the signal in fresh data was not known before.
#pragma once

#include <span>
#include <vector>

#include "base/view.h"
#include "spectral/edge.h"
#include "spectral/round_detection.h"

namespace engram::spectral {

// The strengths (r^2 pi N, as in evidence.h) of outliers orthogonal to the known archetypes (K x N of +-1, at
// most as many as directions were detected): of the eigenvalues of the blend within the part of the detected
// subspace that is orthogonal to them, where nothing is fed back, those that are beyond the cut.
std::vector<double> unknown_strengths(const Detection& detection, MatrixView<const int8_t> known,
                                      const NoiseEdge& noise);

// unknown / (known + unknown), in [0, 1]; 0 where there is no signal.
double novelty_share(std::span<const double> unknown, double known);

}  // namespace engram::spectral
