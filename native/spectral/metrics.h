// How good estimates are, where the truth is known: for experiments and tests, never for unmixing itself.
#pragma once

#include <cstdint>
#include <vector>

#include "base/view.h"

namespace engram::spectral {

using Patterns = MatrixView<const int8_t>;  // count x N of +-1

// m_mu = max_k |<estimate_k, truth_mu>| / N for each truth; zeros when there is no estimate.
std::vector<double> best_overlaps(const Patterns& estimates, const Patterns& truth);

// The mean of |overlap| over the truths under the one-to-one assignment that makes it largest (Kuhn 1955, by
// shortest augmenting paths); a truth that is left without an estimate counts as 0. 0 when there is no truth.
double assigned_overlap(const Patterns& estimates, const Patterns& truth);

// |A - B| / |B| in the Frobenius norm, with A and B the Hebbian operators (1/N) sum_k x_k x_k^T of the two
// sets; by Gram matrices, so that nothing N x N is formed. Precondition: there is a truth.
double hebbian_error(const Patterns& estimates, const Patterns& truth);

}  // namespace engram::spectral
