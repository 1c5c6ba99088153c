// Many queries: tiles of queries times tiles of rows on the matrix units (mma.sync, cp.async; sm_80 and up).
#pragma once

#include "cuda/fold.h"

namespace engram::cuda {

// How many partial answers a launch leaves for each query, on a device of so many multiprocessors.
uint32_t tile_fold_splits(const Rows& rows, uint32_t queries, uint32_t multiprocessors);

// `splits` as tile_fold_splits() says. Each returns what the launch returned.
cudaError_t tile_softmax(const Rows& rows, const Queries& queries, uint32_t splits,
                         const SoftmaxPartials& out, cudaStream_t stream);
cudaError_t tile_top(const Rows& rows, const Queries& queries, uint32_t splits, const TopPartials& out,
                     cudaStream_t stream);
cudaError_t tile_hits(const Rows& rows, const Queries& queries, uint32_t splits, const HitList& out,
                      cudaStream_t stream);

}  // namespace engram::cuda
