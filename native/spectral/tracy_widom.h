// How far the largest eigenvalue of pure noise strays beyond the edge of its spectrum.
//
// The largest eigenvalue of X^T X, X samples x dim of independent entries of mean 0 and variance 1, is
// distributed about as mu + s Q, where Q follows the Tracy-Widom law of real matrices (beta = 1; Johnstone
// 2001).
#pragma once

namespace engram::spectral {

// P(Q <= s). Evaluated, not tabulated: det(1 - V) of the kernel V(x, y) = Ai((x + y) / 2) / 2 on (s,
// infinity) (Ferrari & Spohn 2005) by Gauss-Legendre quadrature (Bornemann 2010). Absolute error below 1e-12
// for s >= -2.
double tracy_widom_cdf(double s);

// The number that Q exceeds with probability `level`, which is the false-alarm level of a test for signal:
// 0.9793 at 0.05. Precondition: level is in [kLeastFalseAlarm, kMostFalseAlarm]. Error below 1e-8; takes
// a few milliseconds, so ask once per level.
inline constexpr double kLeastFalseAlarm = 1e-6;
inline constexpr double kMostFalseAlarm = 0.5;
double tracy_widom_quantile(double level);

// Where the largest eigenvalue of X^T X lies (Johnstone 2001, theorem 1.1).
struct LargestNoiseEigenvalue {
  double centre;  // mu_NM = (sqrt(M - 1) + sqrt(N))^2
  double scale;   // s_NM = (sqrt(M - 1) + sqrt(N)) (1 / sqrt(M - 1) + 1 / sqrt(N))^(1/3)
};
// Precondition: dim >= 1 and samples >= 1; samples need not be whole. Below two samples M - 1 is taken as 1:
// there is no law for one sample, and a finite cut is still wanted.
LargestNoiseEigenvalue largest_noise_eigenvalue(double dim, double samples);

// The cut of a test over the edge: (mu_NM + quantile s_NM) / (sqrt(M) + sqrt(N))^2. It tends to 1 from above
// for quantile > 0 as dim and samples grow.
double tracy_widom_ratio(double dim, double samples, double quantile);

}  // namespace engram::spectral
