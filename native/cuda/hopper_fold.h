// Many queries on Hopper: wgmma, bulk tensor copies and warps with roles of their own (sm_90a), for rows of
// 16 bits.
#pragma once

#include "cuda/fold.h"

namespace engram::cuda {

// Whether this path answers: a Hopper device (compute capability 9.0), rows of 16 bits, dims it has kernels
// for, and no fewer queries than it pays for.
bool hopper_fold_applies(const Rows& rows, uint32_t queries, int compute_major, int compute_minor);
uint32_t hopper_fold_splits(const Rows& rows, uint32_t queries, uint32_t multiprocessors);
// Bytes of device memory a launch needs for the queries in 16 bits.
size_t hopper_fold_bytes(const Rows& rows, const Queries& queries);
cudaError_t hopper_softmax(const Rows& rows, const Queries& queries, uint32_t splits, void* workspace,
                           const SoftmaxPartials& out, cudaStream_t stream);

}  // namespace engram::cuda
