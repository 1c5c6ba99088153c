// Federations of clients with noisy examples of +-1 archetypes, and their operators as dense matrices: what
// the theory of detection is about, by brute force.
#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <vector>

#include "spectral/random_stream.h"

namespace engram::support {

struct NoisyClient {
  int samples = 1;
  double quality = 1;  // r: an entry is right with probability (1 + r) / 2; 0 is pure noise
  double weight = 1;
  std::vector<double>
      exposure;  // share of the examples from each archetype, in order; the rest is pure noise
};

inline Eigen::MatrixXd random_archetypes(int count, int dim, spectral::RandomStream& random) {
  Eigen::MatrixXd archetypes(count, dim);
  for (int i = 0; i < count * dim; ++i) archetypes.data()[i] = random.uniform() < 0.5 ? -1 : 1;
  return archetypes;
}

// samples x dim of +-1.
inline Eigen::MatrixXd noisy_examples(const NoisyClient& client, const Eigen::MatrixXd& archetypes,
                                      spectral::RandomStream& random) {
  Eigen::MatrixXd examples(client.samples, archetypes.cols());
  double share = 0;
  int row = 0;
  for (size_t mu = 0; mu <= client.exposure.size(); ++mu) {
    const bool is_rest = mu == client.exposure.size();
    share = is_rest ? 1 : share + client.exposure[mu];
    const double right = (1 + (is_rest ? 0 : client.quality)) / 2;
    for (; row < std::lround(share * client.samples); ++row) {
      for (Eigen::Index i = 0; i < archetypes.cols(); ++i) {
        const double truth = is_rest ? 1 : archetypes(static_cast<Eigen::Index>(mu), i);
        examples(row, i) = random.uniform() < right ? truth : -truth;
      }
    }
  }
  return examples;
}

// sum_c a_c X_c^T X_c / M_c.
inline Eigen::MatrixXd operator_of(const std::vector<NoisyClient>& clients, const Eigen::MatrixXd& archetypes,
                                   spectral::RandomStream& random) {
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(archetypes.cols(), archetypes.cols());
  for (const NoisyClient& client : clients) {
    const Eigen::MatrixXd examples = noisy_examples(client, archetypes, random);
    sum.selfadjointView<Eigen::Lower>().rankUpdate(examples.transpose(), client.weight / client.samples);
  }
  return sum.selfadjointView<Eigen::Lower>();
}

// The Gaussian orthogonal ensemble: entries of this standard deviation, sqrt(2) times it on the diagonal.
inline Eigen::MatrixXd symmetric_noise(int dim, double deviation, spectral::RandomStream& random) {
  Eigen::MatrixXd noise(dim, dim);
  for (int row = 0; row < dim; ++row) {
    for (int column = 0; column <= row; ++column) {
      const double entry = deviation * random.gaussian();
      noise(row, column) = noise(column, row) = row == column ? std::sqrt(2) * entry : entry;
    }
  }
  return noise;
}

}  // namespace engram::support
