// How a fold is cut for a device: batches of queries, slices of rows, and the kernels that take them.
//
// Pure functions of the shape and of facts of the device: the same input is cut the same way, and gives the
// same bits, on the same device.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/fold.h"
#include "engine/device_table.h"

namespace engram::cuda {

enum class Path : uint8_t {
  kRows,    // row_fold.h: few queries, bound by the bytes of the rows
  kTiles,   // tile_fold.h: many queries, on the matrix units
  kHopper,  // hopper_fold.h: many queries of a softmax over 16-bit rows on Hopper
};

// The kernels for these rows and so many queries.
Path choose_path(const Rows& rows, uint32_t queries, bool softmax, const EngramDeviceFacts& facts);

// Queries that one launch of the path answers, of `queries` in the batch.
uint32_t queries_per_launch(const Rows& rows, uint32_t queries, Path path);

// Most queries of one batch: their number is bounded by working memory.
uint32_t batch_queries(uint64_t queries, uint32_t dim, uint32_t width);

// Most rows of one slice: a few milliseconds of work, a multiple of 1024.
uint32_t slice_rows(uint32_t queries, uint32_t dim, uint32_t width);

// Rows of one part of the memory that go through the kernels together.
struct Slice {
  uint64_t part = 0;
  uint64_t row = 0;  // first row, counted in the part
  uint32_t count = 0;
};

// All rows in slices, in order. Rows in host memory go in pieces of at most `piece_rows`.
std::vector<Slice> cut_slices(const EngramFold& fold, uint32_t most_rows, uint64_t piece_rows);

}  // namespace engram::cuda
