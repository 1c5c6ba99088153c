#include "spectral/outlier.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace engram::spectral {
namespace {

struct Transfer {
  double value = 0;  // T(w)
  double slope = 0;  // -T'(w)
};

Transfer transfer(const NoiseEdge& noise, const std::vector<double>& signal, double w) {
  Transfer t;
  for (size_t c = 0; c < signal.size(); ++c) {
    const double strength = noise.dim() * noise.clients()[c].weight * signal[c];
    if (strength == 0) continue;
    const double distance = w - noise.poles()[c];
    t.value += strength / distance;
    t.slope += strength / (distance * distance);
  }
  return t;
}

// T(w) = 1 beyond w*. 1 / T is a harmonic mean of the w - g_c, so Newton's method climbs on it as it does in
// edge.cc.
double solve_transfer(const NoiseEdge& noise, const std::vector<double>& signal) {
  double w = noise.at();
  for (size_t c = 0; c < signal.size(); ++c) {
    w = std::max(w, noise.poles()[c] + noise.dim() * noise.clients()[c].weight * signal[c]);
  }
  while (true) {
    const Transfer t = transfer(noise, signal, w);
    const double next = w + t.value * (t.value - 1) / t.slope;
    if (!(next > w * (1 + 1e-15))) return w;
    w = next;
  }
}

double squared_overlap(const NoiseEdge& noise, double w, double slope) {
  return std::clamp((1 - noise.phi(w)) / (w * slope), 0.0, 1.0);
}

}  // namespace

Outlier predict_outlier(const NoiseEdge& noise, const std::vector<double>& signal) {
  Outlier outlier;
  outlier.margin = transfer(noise, signal, noise.at()).value;
  outlier.eigenvalue = noise.edge();
  outlier.at = noise.at();
  if (!outlier.detectable()) return outlier;
  outlier.at = solve_transfer(noise, signal);
  outlier.eigenvalue = noise.eigenvalue(outlier.at);
  outlier.overlap = squared_overlap(noise, outlier.at, transfer(noise, signal, outlier.at).slope);
  return outlier;
}

OutlierEstimate estimate_outlier(const NoiseEdge& noise, double eigenvalue) {
  if (!(eigenvalue > noise.edge())) return {};
  std::vector<double> signal;
  double most = 0;
  for (const ClientModel& client : noise.clients()) {
    signal.push_back(1 - client.noise_variance);
    if (client.weight > 0) most = std::max(most, signal.back());
  }
  if (most == 0) signal.assign(signal.size(), 1);
  const double w = noise.inverse(eigenvalue);
  const Transfer t = transfer(noise, signal, w);
  return {1 / t.value, squared_overlap(noise, w, t.slope / t.value)};
}

Spike estimate_spike(double ratio, double q) {
  const double y = ratio - 1 - q;
  if (!(y > 2 * std::sqrt(q))) return {};
  const double kappa = (y + std::sqrt(y * y - 4 * q)) / 2;
  return {kappa, spike_overlap(kappa, q)};
}

double spike_overlap(double kappa, double q) {
  return kappa > std::sqrt(q) ? (1 - q / (kappa * kappa)) / (1 + q / kappa) : 0;
}

double archetype_overlap(double gamma) {
  return gamma >= 1 ? 1 : std::erf(std::sqrt(gamma / (2 * (1 - gamma))));
}

}  // namespace engram::spectral
