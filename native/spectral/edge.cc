#include "spectral/edge.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "spectral/tracy_widom.h"

namespace engram::spectral {

NoiseEdge::NoiseEdge(std::vector<ClientModel> clients, double dim, double symmetric_noise)
    : clients_(std::move(clients)),
      dim_(dim),
      symmetric_(symmetric_noise * symmetric_noise * dim),
      poles_(clients_.size()) {
  double weights = 0;
  double squares = 0;
  for (size_t c = 0; c < clients_.size(); ++c) {
    const ClientModel& client = clients_[c];
    poles_[c] = dim * client.weight * client.noise_variance / client.samples;
    weights += client.weight;
    squares += client.weight * client.weight / client.samples;
  }
  effective_samples_ = weights * weights / squares;
  at_ = find_minimum();
  edge_ = eigenvalue(at_);
}

double NoiseEdge::kurtosis_shift() const {
  double shift = 0;
  for (size_t c = 0; c < clients_.size(); ++c) {
    const ClientModel& client = clients_[c];
    if (poles_[c] == 0) continue;
    const double cumulant = client.noise_variance * (4 - 6 * client.noise_variance);
    const double distance = at_ - poles_[c];
    const double squared_weight = client.weight * client.weight / client.samples;
    shift += squared_weight * cumulant * at_ * at_ / (distance * distance * distance);
  }
  return shift;
}

double NoiseEdge::width() const {
  return at_ > 0 ? std::cbrt(bend(at_) * at_ * at_ * at_ * at_ / (dim_ * dim_)) : 0;
}

double NoiseEdge::cut(double quantile) const {
  const double largest = symmetric_ > 0 ? edge_ + quantile * width()
                                        : edge_ * tracy_widom_ratio(dim_, effective_samples_, quantile);
  return largest + std::max(kurtosis_shift(), 0.0);
}

double NoiseEdge::eigenvalue(double w) const {
  double z = symmetric_ > 0 ? w + symmetric_ / w : w;
  for (size_t c = 0; c < clients_.size(); ++c) {
    if (poles_[c] > 0) z += w * clients_[c].weight * clients_[c].noise_variance / (w - poles_[c]);
  }
  return z;
}

double NoiseEdge::phi(double w) const {
  double sum = symmetric_ > 0 ? symmetric_ / (w * w) : 0;
  for (size_t c = 0; c < clients_.size(); ++c) {
    const double share = poles_[c] > 0 ? poles_[c] / (w - poles_[c]) : 0;
    sum += clients_[c].samples / dim_ * share * share;
  }
  return sum;
}

double NoiseEdge::bend(double w) const {
  double sum = symmetric_ > 0 ? symmetric_ / (w * w * w) : 0;
  for (size_t c = 0; c < clients_.size(); ++c) {
    if (poles_[c] == 0) continue;
    const double distance = w - poles_[c];
    const double share = poles_[c] / distance;
    sum += clients_[c].samples / dim_ * share * share / distance;
  }
  return sum;
}

// phi(w) = 1. phi^(-1/2) is a power mean of the w - g_c, and of w itself for symmetric noise, and as such
// concave and growing, and linear for equal clients: Newton's method on it climbs to the root without
// overshooting from any point below, such as the root that one of the clients would have alone.
double NoiseEdge::find_minimum() const {
  double w = std::sqrt(symmetric_);
  for (size_t c = 0; c < clients_.size(); ++c) {
    w = std::max(w, poles_[c] * (1 + std::sqrt(clients_[c].samples / dim_)));
  }
  if (w == 0) return 0;
  while (true) {
    const double sum = phi(w);
    const double next = w + sum * (std::sqrt(sum) - 1) / bend(w);
    if (!(next > w * (1 + 1e-15))) return w;
    w = next;
  }
}

// z is convex beyond w* and z(w) >= w: Newton's method from lambda falls to the root without overshooting.
// Where lambda is the edge itself, the slope at the root is zero and rounding decides the end.
double NoiseEdge::inverse(double lambda) const {
  double w = lambda;
  while (true) {
    const double slope = 1 - phi(w);
    if (!(slope > 0)) return at_;
    const double next = std::max(w - (eigenvalue(w) - lambda) / slope, at_);
    if (!(next < w * (1 - 1e-15))) return w;
    w = next;
  }
}

}  // namespace engram::spectral
