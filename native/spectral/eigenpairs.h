// The largest eigenvalues of a symmetric operator and their eigenvectors.
//
// Block thick-restart Krylov: the subspace grows by the residuals of the wanted Ritz pairs, a block at a
// time, fully reorthogonalised twice, and is compressed to the best Ritz vectors when it is full
// (Stathopoulos & Saad 1998). A block wider than any cluster of the spectrum finds all of its members, which
// single-vector methods may miss. Starts are deterministic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

struct EigenOptions {
  size_t k = 1;                  // 1 to dim
  size_t block = 0;              // vectors added at a time; 0: k + 8, at most 64
  double tolerance = 1e-6;       // residual |A v - lambda v| / max |lambda|, > 0
  uint32_t most_products = 200;  // products with a block
  std::vector<double> start;     // rows of dim numbers near the wanted vectors; may be empty
  // Where set, asked after every product whether the k values and relative residuals (as in Eigenpairs) are
  // good enough, in place of `tolerance`, which then only says which vectors are not worth improving.
  std::function<bool(const std::vector<double>& values, const std::vector<double>& residuals)> enough;
};

struct Eigenpairs {
  std::vector<double> eigenvalues;  // k, falling
  std::vector<double> vectors;      // k x dim, orthonormal rows; the largest component of each is positive
  std::vector<double> residuals;    // k, relative to the largest |lambda|
  uint32_t products = 0;            // with blocks
  bool converged = false;
};

// kRange: k or block that do not fit; kNonFinite: a product is not finite; kOutOfMemory, kAborted.
Result<Eigenpairs> top_eigenpairs(const LinearOperator& a, const EigenOptions& options,
                                  const runtime::Parallel& parallel);

// The same for scale * X^T X, by way of the smaller Gram matrix where that is small enough to be kept and
// cheaper.
Result<Eigenpairs> top_eigenpairs_of_factor(const FactorOperator& a, const EigenOptions& options,
                                            const runtime::Parallel& parallel);

}  // namespace engram::spectral
