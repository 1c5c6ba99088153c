// Bringing partial answers together, always in the order of their splits.
#pragma once

#include "cuda/fold.h"

namespace engram::cuda {

// The running answer of the exponential folds over all launches of a pass.
struct SoftmaxState {
  float* max = nullptr;      // queries; begins as -FLT_MAX
  double* sum = nullptr;     // queries; begins as 0
  float* readout = nullptr;  // queries x width; begins as 0; null without readout
};

// Sets the running answer to that of no items.
cudaError_t begin_softmax(const SoftmaxState& state, uint32_t queries, uint32_t width, cudaStream_t stream);
// Takes `splits` partial answers into the state.
cudaError_t combine_softmax(const SoftmaxState& state, const SoftmaxPartials& partials, uint32_t splits,
                            uint32_t queries, uint32_t width, cudaStream_t stream);
// Divides the readout by the sum.
cudaError_t finish_softmax(const SoftmaxState& state, uint32_t queries, uint32_t width, cudaStream_t stream);

// Sets a running answer of top-k to that of no items: state to zeros, floor to -inf.
cudaError_t begin_top(Ranked* state, float* floor, uint32_t queries, uint32_t k, cudaStream_t stream);
// Keeps the k best of state (queries x k, best first, 0 for none) and of the partial answers, in state, and
// writes the k-th best score of each query to floor (-inf where there are fewer than k). best == state is not
// allowed.
cudaError_t combine_top(Ranked* state, float* floor, const TopPartials& partials, uint32_t splits,
                        uint32_t queries, cudaStream_t stream);

}  // namespace engram::cuda
