// How many directions of a blended operator the noise of its clients does not explain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/view.h"
#include "runtime/parallel.h"
#include "spectral/edge.h"
#include "spectral/linear_operator.h"
#include "spectral/subspace.h"

namespace engram::spectral {

struct DetectionOptions {
  double quantile = 0.9793;   // tracy_widom_quantile of the false-alarm level
  size_t expected = 0;        // archetypes that are fed back
  size_t most = 256;          // directions wanted at most
  std::vector<double> start;  // rows of N numbers near the wanted directions; may be empty
};

struct Detection {
  std::vector<double> eigenvalues;  // falling: all beyond the cut, up to `most`, and at least two more
  double edge = 0;
  double cut = 0;
  std::vector<double> values;  // of the directions that were detected, falling
  std::vector<float> v;        // values.size() x N, orthonormal
  std::vector<double> gamma;   // their predicted squared overlaps, in (0, 1]

  size_t count() const { return values.size(); }
  FloatRows rows(size_t dim) const { return {v.data(), count(), dim}; }
};

// Eigenvectors beyond the cut are found to a residual of a tenth of their distance from the edge, by which
// they lose one percent of their squared overlap; the eigenvalues below it are lower bounds within a tenth of
// the cut. More than `most` beyond the cut: the largest are taken. A spectrum without noise is cut at 1e-4 of
// its largest eigenvalue, above the rounding of Float32 products. kNotConverged, kNonFinite, kOutOfMemory,
// kAborted.
Result<Detection> detect(const LinearOperator& blend, const NoiseEdge& noise, const DetectionOptions& options,
                         const runtime::Parallel& parallel);

// The predicted squared overlap of an eigenvector beyond the edge, within (0, 1].
double predicted_overlap(const NoiseEdge& noise, double eigenvalue);

}  // namespace engram::spectral
