// Few queries: each row is read once, by one group of lanes, and folded for all of them.
#pragma once

#include "cuda/fold.h"

namespace engram::cuda {

// Most queries a launch answers: their number times the rows' dim is bounded by the registers of a lane.
uint32_t most_row_queries(const Rows& rows);
// How many partial answers a launch leaves for each query, on a device of so many multiprocessors.
uint32_t row_fold_splits(const Rows& rows, uint32_t multiprocessors);

// `splits` as row_fold_splits() says; queries.count at most most_row_queries(). Each returns what the launch
// returned.
cudaError_t row_softmax(const Rows& rows, const Queries& queries, uint32_t splits, const SoftmaxPartials& out,
                        cudaStream_t stream);
cudaError_t row_top(const Rows& rows, const Queries& queries, uint32_t splits, const TopPartials& out,
                    cudaStream_t stream);
cudaError_t row_hits(const Rows& rows, const Queries& queries, uint32_t splits, const HitList& out,
                     cudaStream_t stream);

}  // namespace engram::cuda
