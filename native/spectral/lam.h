// The layered associative memory of Ladiana et al. (arXiv 2603.19902): P layers of spins share one coupling
// matrix J and repel each other, so that together they fall apart into the archetypes that a mixture is made
// of.
//
// With J = V^T diag(w) V and g_ab = s_a^T J s_b, all layers at once,
//   h_a = J s_a - (lambda/N) sum_{b != a} g_ab J s_b + H x
// and a random sign that prefers that of h_a. J s costs 2NK as products with V, never N^2.
#pragma once

#include <cstdint>
#include <vector>

#include "spectral/subspace.h"

namespace engram::spectral {

enum class LamNoise : uint8_t {
  kFull,      // the draft's: s <- sign(tanh(beta h) + u), u uniform in [-1, 1], x the mixture
  kAnnealed,  // its code's: s <- sign(h + u), u uniform in +-scale/beta with the scale falling from 0.3 to
              // 0.02, and x the state as it is
};

struct LamOptions {     // defaults: the paper's
  uint32_t layers = 3;  // P, >= 1
  uint32_t blocks = 0;  // mixtures to start from; 0: 10 floor((K/P) ln(K/0.01)), 10 to 500
  uint32_t steps = 50;  // synchronous updates
  double beta = 2.5;    // inverse temperature, > 0
  double lambda = 0.2;  // repulsion of the layers, >= 0
  double field = 0.1;   // H, >= 0
  LamNoise noise = LamNoise::kAnnealed;
  std::vector<double> couplings;  // w, K; empty: ones, which makes J the projector on the subspace
  uint64_t seed = 1;
};

// The number of blocks that `options` stands for in a subspace of `rows` rows.
uint32_t lam_blocks(const LamOptions& options, size_t rows);

// An eigenvalue after t = steps * epsilon of "dreaming", J <- J + epsilon/(1 + epsilon k) (J - J^2): the map
// acts on eigenvalues alone, and its Euler limit is (1+t) x / (1 + t x). x: an eigenvalue of J, at scale 1
// (that of N J divided by N).
double dreamt(double x, double t);

// The states of all layers when block number `first` to `first + count - 1` end: (count * layers) x N.
// Depends on the numbers of the blocks and the seed alone. Precondition: v is orthonormal and has a row.
// kShape: couplings are neither empty nor K; kAborted.
Result<std::vector<int8_t>> lam(const FloatRows& v, uint64_t first, size_t count, const LamOptions& options,
                                const KeepGoing& keep_going);

}  // namespace engram::spectral
