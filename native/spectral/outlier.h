// Eigenvalues that leave the spectrum of noise: which archetypes make them, where they come to lie, how much
// of an archetype their eigenvectors hold, and the way back from what was observed.
//
// Archetype mu reaches the clients as signal b_c = r_c^2 pi_c(mu). It is detectable iff T(w*) > 1, with
//   T(w) = N sum_c a_c b_c / (w - g_c)
// in the terms of edge.h, and then makes an outlier z(w) at the w with T(w) = 1, whose eigenvector has the
// squared overlap (1 - phi(w)) / (w N sum_c a_c b_c / (w - g_c)^2) with it (derivation, section 1.6). Exact
// as N and M_c grow together, for few and nearly orthogonal archetypes. Symmetric noise changes z and phi and
// with them eigenvalue and overlap, but not T; alone it leaves Wigner's outlier theta + nu / theta of squared
// overlap 1 - nu / theta^2 (Benaych-Georges & Nadakuditi 2011).
#pragma once

#include <vector>

#include "spectral/edge.h"

namespace engram::spectral {

struct Outlier {
  double margin =
      0;  // T(w*), >= 0: detectable iff > 1; kappa / sqrt(q) for equal clients. Infinite without noise
  double eigenvalue = 0;  // z(w); the edge where not detectable
  double overlap = 0;     // squared, of the eigenvector with the archetype, in [0, 1]; 0 where not detectable
  double at = 0;          // the w with T(w) = 1; w* where not detectable

  bool detectable() const noexcept { return margin > 1; }
};

// Preconditions: one signal for each client of `noise`, all >= 0.
Outlier predict_outlier(const NoiseEdge& noise, const std::vector<double>& signal);

struct OutlierEstimate {
  double exposure = 0;  // pi^ of the archetype, >= 0 and near [0, 1]; 0 at or below the edge
  double overlap = 0;   // squared, predicted, in [0, 1]; 0 at or below the edge
};

// What an observed eigenvalue says of the archetype behind it. One number cannot say which clients saw it, so
// the signal is assumed to be proportional to that of an archetype all clients saw equally often: b_c = pi
// r_c^2 with r_c^2 = 1 - s_c. Where no client has shown any quality (s_c = 1 for all: each is too small to be
// told from noise alone) the qualities are assumed equal, and `exposure` is then that of r = 1.
OutlierEstimate estimate_outlier(const NoiseEdge& noise, double eigenvalue);

// The same for one quality and one size, in closed form (section 1.5), with q = N / M and kappa = N r^2 pi /
// s.
struct Spike {
  double kappa = 0;    // signal to noise; 0 at or below the edge
  double overlap = 0;  // gamma, squared, in [0, 1]; 0 at or below the edge
};
// `ratio` is the eigenvalue over the noise variance. kappa^ = (y + sqrt(y^2 - 4 q)) / 2, y = ratio - 1 - q.
Spike estimate_spike(double ratio, double q);
// gamma = (1 - q / kappa^2) / (1 + q / kappa); 0 where kappa <= sqrt(q).
double spike_overlap(double kappa, double q);

// The overlap m of the signs of an unmixed component with its archetype, from the squared overlap gamma of
// its direction, in [0, 1]: m = erf(sqrt(gamma / (2 (1 - gamma)))) (section 1.5; the error of a component is
// Gaussian).
double archetype_overlap(double gamma);

}  // namespace engram::spectral
