// One client's experience as a message: the leading eigenpairs of its second moment, and what a server has to
// know of the rest.
//
// With X the M examples in rows of N numbers, N J = X^T X / M has trace N for examples of +-1. A message
// holds its leading eigenvectors V, eigenvalues L, trace and estimated noise; what is left out counts as
// isotropic,
//   N J ~ V^T (L - rest) V + rest I,  rest = (trace - sum L) / (N - rank),
// which keeps the trace.
//
// A Hebbian operator is not private: of few examples each can be read off its range, bit by bit. Hence a
// message of as many eigenpairs as examples is refused unless the caller insists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/row_products.h"
#include "runtime/parallel.h"
#include "spectral/sum_operator.h"

namespace engram::spectral {

inline constexpr size_t kDefaultRank = 64;
inline constexpr size_t kLongestClientName = 256;  // bytes

struct HebbianOperator {
  size_t dim = 0;             // N
  uint64_t sample_count = 0;  // M, >= 1
  double trace = 0;           // of N J, > 0; N for examples of +-1
  double noise_variance = 1;  // sigma^2 of an entry whose square is 1 on average, in [0, 1] (client_noise.h)
  double quality = 0;         // r^ = sqrt(1 - noise_variance), in [0, 1]
  std::string client;         // the sender's name; may be empty
  std::vector<double> eigenvalues;  // rank, > 0, falling
  std::vector<float> factor;        // rank x N, orthonormal rows

  size_t rank() const { return eigenvalues.size(); }
  // The level of what was left out, >= 0.
  double rest() const;
  // What stands between factor^T and factor: eigenvalues - rest, >= 0.
  std::vector<double> row_weights() const;
  engine::Rows rows() const;
};

struct EncodeOptions {
  size_t rank = 0;           // at most N; 0: min(kDefaultRank, M - 1, N)
  bool allow_leak = false;   // rank >= M, and one example
  double quantile = 0.9793;  // tracy_widom_quantile of the false-alarm level of the noise estimate
  std::string client;        // up to kLongestClientName bytes without control characters
};

// Examples: M x N of finite numbers, not all zero. Eigenpairs below 1e-7 of the largest eigenvalue are left
// out, so that the rank may be smaller than asked for (examples that repeat). kShape: no examples; kRange:
// rank, client, the leak guard, or all examples are zero; kNonFinite; kNotConverged; kOutOfMemory, kAborted.
Result<HebbianOperator> encode(const engine::Rows& examples, const EncodeOptions& options,
                               const runtime::Parallel& parallel);

// What a receiver must know of a message that anybody may have made: every number in its range, eigenvectors
// orthonormal within 1e-3, eigenvalues falling, within the trace and above what is left out (1e-4). kFormat,
// naming what is wrong.
Status check(const HebbianOperator& message);

// kRange unless it is at most kLongestClientName bytes without control characters.
Status check_client_name(const std::string& client);

// Whether examples may well be read off a message of this size even below the guard: M < N / 8.
bool leak_risk(size_t dim, uint64_t sample_count);

}  // namespace engram::spectral
