// The spectrum of noise that unequal clients add up to, and where it ends.
//
// The operator is W = sum_c a_c X_c^T X_c / M_c with M_c examples in the rows of X_c, whose entries are noise
// of variance s_c. Its bulk follows the silent part of a deterministic equivalent (derivation, section 1.6):
//   z(h) = 1/h + sum_c a_c s_c / (1 - h g_c),  g_c = N a_c s_c / M_c,  0 < h < 1 / max_c g_c,
// whose minimum z(h*) is the edge: no eigenvalue of noise lies beyond it as N and M_c grow together. With one
// quality and one size it is Marchenko & Pastur's s (1 + sqrt(N/M))^2. Here everything is a function of w =
// 1/h, in which nothing overflows and a client without noise is not special:
//   z(w) = w (1 + sum_c a_c s_c / (w - g_c)),  z'(w) = 1 - phi(w),  phi(w) = sum_c (M_c / N) (g_c / (w -
//   g_c))^2.
//
// For privacy, clients may add to W a symmetric Gaussian matrix, whose entries have the standard deviation
// sigma. It is free of W, R-transforms add up (Voiculescu 1986), and h is the Stieltjes transform at z(h):
//   z(w) += nu / w,  phi(w) += nu / w^2,  nu = sigma^2 N;
// alone, its edge is Wigner's 2 sigma sqrt(N).
#pragma once

#include <cstddef>
#include <vector>

namespace engram::spectral {

// A client as the theory sees it.
struct ClientModel {
  double weight = 1;   // a_c, >= 0; only ratios matter to detection, eigenvalues scale with all weights
  double samples = 1;  // M_c, >= 1
  double noise_variance = 1;  // s_c = 1 - r_c^2 of an entry, in [0, 1]
};

class NoiseEdge {
 public:
  // symmetric_noise: sigma, >= 0, of an entry on the scale of W.
  // Precondition: dim >= 1, a client, and a positive weight.
  NoiseEdge(std::vector<ClientModel> clients, double dim, double symmetric_noise = 0);

  const std::vector<ClientModel>& clients() const noexcept { return clients_; }
  double dim() const noexcept { return dim_; }

  // On the scale of W, whose trace is N for examples of +-1 and weights that sum to 1. 0 where there
  // is no noise.
  double edge() const noexcept { return edge_; }
  // w* = 1/h*, where z has its minimum; 0 where there is no noise.
  double at() const noexcept { return at_; }

  // Samples of the one client that is worth as much: M_eff = (sum a)^2 / sum(a^2 / M).
  double effective_samples() const noexcept { return effective_samples_; }
  // How much further the noise of flipped signs reaches at finite N where flips are rare, on the scale of W;
  // 0 or negative where s_c >= 2/3. An entry +-1 of mean +-r has the fourth cumulant k = s (4 - 6 s), which
  // shifts z(w) by sum_c (a_c^2 / M_c) k_c w^2 / (w - g_c)^3 to first order in 1/N. For equal clients this is
  // the shift of Hwang, Lee & Schnelli (2019), (k / s) sqrt(q) (1 + sqrt(q))^2 / N: several times the width
  // of the Tracy-Widom law at r = 0.9.
  double kurtosis_shift() const;
  // The unit in which the largest eigenvalue of noise strays about the edge by the Tracy-Widom law, to
  // leading order in N: N^(-2/3) (z_hh(h*) / 2)^(1/3), which the square root in which the density ends there
  // decides (Lee & Schnelli 2015); sigma N^(-1/6) for symmetric noise alone. 0 where there is no noise.
  double width() const;
  // An eigenvalue beyond this is noise with at most about the probability that `quantile` was asked for
  // (tracy_widom_quantile): edge() times tracy_widom_ratio at M_eff, plus kurtosis_shift() where that is
  // positive. (It is not used to lower the cut, which leaves noise of s_c near 1 with fewer alarms than asked
  // for at small N.)
  double cut(double quantile) const;

  // g_c, on the scale of W.
  const std::vector<double>& poles() const noexcept { return poles_; }
  // z(w); for w >= w* and w > 0 it grows from the edge. 0 at 0.
  double eigenvalue(double w) const;
  // phi(w) = 1 - z'(w): 1 at w*, 0 at infinity. For w > max_c g_c.
  double phi(double w) const;
  // The inverse of eigenvalue(). Precondition: lambda >= edge().
  double inverse(double lambda) const;

 private:
  // z''(w) / 2 = -phi'(w) / 2.
  double bend(double w) const;
  double find_minimum() const;

  std::vector<ClientModel> clients_;
  double dim_;
  double symmetric_ = 0;  // nu
  std::vector<double> poles_;
  double effective_samples_ = 0;
  double at_ = 0;
  double edge_ = 0;
};

}  // namespace engram::spectral
