// How much a client may change what is remembered: its plasticity w, from 0 (the memory stays) to 1 (only
// what is new counts).
//
// In the paper's rule the client compares its own second moment J with the memory A = (1/N) xi^T xi: p is the
// share of pairs i < j with sign J_ij = sign A_ij. Pairs with A_ij = 0, of which an even number of archetypes
// has many, say nothing and are left out; counted as disagreement, as the paper does, they make perfect
// memories of 4 and 8 archetypes look 86% and 52% wrong.
//   entropy   w = max(0, (h(p) - h(p0)) / (1 - h(p0))), h the binary entropy in bits, p0 = (1 + r^2) / 2 of
//   an
//             example of quality r: what contradicts the memory teaches. Noise contradicts best.
//   trust     w = (p - 1/2) / (p0 - 1/2), within [0, 1]: who agrees with the memory is believed.
//   spectral  w = the share of the client's own outliers that lies outside the memory, at least
//             kLeastSpectral: news is believed where it is told from noise. Detection does not depend on the
//             scale of all w, so that clients too weak to be heard alone are still heard together.
// r is what the client shows by its operator; where that is nothing, r = 1.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/view.h"
#include "runtime/parallel.h"
#include "spectral/edge.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

enum class Controller : uint8_t { kFixed, kEntropy, kTrust, kSpectral };

struct ControllerOptions {
  Controller rule = Controller::kFixed;
  double plasticity = 0.5;  // w of kFixed, in [0, 1]
  double smoothing = 0.4;   // alpha of the other rules, in (0, 1]: w <- alpha w_raw + (1 - alpha) w
};

inline constexpr double kLeastSpectral = 0.05;

// One client's operator N J, or that of all together, as a controller sees it.
struct Experience {
  const LinearOperator& moments;  // trace N
  NoiseEdge noise;                // of it
  double quality = 0;             // r^, in [0, 1]; 0: showed none
};

// w_raw in [0, 1]. archetypes: K x N of +-1; K = 0 gives 1, for everything is new. quantile:
// tracy_widom_quantile, of kSpectral. kNonFinite, kNotConverged, kOutOfMemory, kAborted.
Result<double> raw_plasticity(const ControllerOptions& options, const MatrixView<const int8_t>& archetypes,
                              const Experience& experience, double quantile,
                              const runtime::Parallel& parallel);

// p: the share of pairs with A_ij != 0 whose signs agree, in [0, 1]; 1/2 where there is no such pair. J is
// never formed: of all pairs up to N = 512, beyond of those of at least 2^18 / N and 16 columns, drawn the
// same for any operator; p is then within about 0.002 of that of all pairs.
Result<double> sign_agreement(const MatrixView<const int8_t>& archetypes, const LinearOperator& moments,
                              const runtime::Parallel& parallel);

// The paper's two maps from p. quality in [0, 1]; 0 counts as 1.
double entropy_rule(double agreement, double quality);
double trust_rule(double agreement, double quality);

}  // namespace engram::spectral
