// The stream of chunks that a block of tile kernels multiplies: fetched in the background, some ahead of
// their use.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/fold.h"
#include "cuda/ptx.h"
#include "cuda/tile_products.h"

namespace engram::cuda {

inline constexpr uint32_t kTileThreads = 128;  // four warps, 16 queries each

// How a launch cuts its rows into chunks.
struct TilePlan {
  uint32_t score_chunks = 0;  // of a row's keys
  uint32_t value_chunks = 0;  // of a row's values that are fetched; 0 where the keys are read out as they lie
  uint32_t ahead = 3;         // chunks that are under way while one is used, 1..3
  bool queries_resident = true;  // in shared memory for the whole launch; else they stream with the keys
  bool keeps_tile = false;       // the chunks of a tile stay until its keys have been read out

  __host__ __device__ uint32_t chunks() const { return score_chunks + value_chunks; }  // of a tile
  __host__ __device__ uint32_t slots() const { return (keeps_tile ? score_chunks : 1) + ahead; }
  __host__ __device__ uint32_t slot_bytes() const { return (queries_resident ? 1 : 2) * kChunkBytes; }
  __host__ __device__ uint32_t query_bytes() const {
    return queries_resident ? score_chunks * kChunkBytes : 0;
  }
  __host__ __device__ uint32_t bytes() const { return query_bytes() + slots() * slot_bytes(); }
};

template <Products kProducts>
class TileStream {
 public:
  // Rows [begin, end) in tiles; values from column `first_column` on. `shared` has plan.bytes().
  __device__ TileStream(const Rows& rows, const Queries& queries, const TilePlan& plan, uint32_t begin,
                        uint32_t end, uint32_t first_query, uint32_t first_column, char* shared)
      : rows_(rows),
        queries_(queries),
        plan_(plan),
        begin_(begin),
        end_(end),
        first_query_(first_query),
        first_value_chunk_(first_column / chunk_elements(kProducts)),
        resident_(shared),
        slots_(shared + plan.query_bytes()) {
    const uint32_t tiles = (end - begin + kTileRows - 1) / kTileRows;
    left_ = tiles * plan.chunks();
    for (uint32_t c = 0; c < plan.score_chunks && plan.queries_resident; ++c) {
      fetch_queries(resident_ + c * kChunkBytes, c);
    }
    for (uint32_t c = 0; c < plan.ahead; ++c) fetch_next();
  }

  // Waits for the next chunk and starts to fetch another; called by all threads. Its rows are at rows(), and
  // where it is one of keys its queries at queries(chunk).
  __device__ void advance() {
    // Groups newer than the chunk's own may still be under way.
    if (plan_.ahead == 1) {
      wait_for_copies<0>();
    } else if (plan_.ahead == 2) {
      wait_for_copies<1>();
    } else {
      wait_for_copies<2>();
    }
    __syncthreads();
    fetch_next();
    current_ = slots_ + use_ * plan_.slot_bytes();
    use_ = use_ + 1 == plan_.slots() ? 0 : use_ + 1;
  }
  __device__ const char* rows() const { return current_; }
  __device__ const char* queries(uint32_t chunk) const {
    return plan_.queries_resident ? resident_ + chunk * kChunkBytes : current_ + kChunkBytes;
  }
  // A chunk of the tile whose last chunk was advanced to, where the plan keeps it.
  __device__ const char* kept(uint32_t chunk) const {
    const uint32_t slots = plan_.slots();
    const uint32_t slot = use_ + slots - plan_.score_chunks + chunk;
    return slots_ + (slot < slots ? slot : slot - slots) * plan_.slot_bytes();
  }

 private:
  __device__ void fetch_next() {
    if (left_ > 0) {
      --left_;
      char* const slot = slots_ + fill_ * plan_.slot_bytes();
      const uint32_t row = begin_ + tile_ * kTileRows;
      if (chunk_ < plan_.score_chunks) {
        fetch_rows(slot, rows_.keys, rows_.key_pitch, row, chunk_);
        if (!plan_.queries_resident) fetch_queries(slot + kChunkBytes, chunk_);
      } else {
        fetch_rows(slot, rows_.values, rows_.value_pitch, row,
                   first_value_chunk_ + chunk_ - plan_.score_chunks);
      }
      fill_ = fill_ + 1 == plan_.slots() ? 0 : fill_ + 1;
      if (++chunk_ == plan_.chunks()) {
        chunk_ = 0;
        ++tile_;
      }
    }
    close_copies();  // an empty group where nothing is left: the count of groups goes on
  }

  // 64 rows of one chunk; zeros behind the last row and behind the pitch.
  __device__ void fetch(char* chunk, const char* from, uint64_t pitch_bytes, uint32_t row, uint32_t end,
                        uint32_t index) const {
    constexpr uint32_t kStep = kTileThreads / 8;  // rows; a multiple of 8: their pieces lie alike
    const uint32_t r = threadIdx.x / 8;
    const uint32_t piece = threadIdx.x % 8;
    const uint64_t byte = uint64_t{index} * kChunkRowBytes + piece * 16;
    const uint32_t there = row < end && byte < pitch_bytes ? end - row : 0;
    const char* source = from + uint64_t{row + r} * pitch_bytes + byte;
    char* const to = chunk + chunk_offset(r, piece);
#pragma unroll
    for (uint32_t i = 0; i < kTileRows; i += kStep) {
      const bool copied = r + i < there;
      copy_async(to + i * kChunkRowBytes, copied ? source : from, copied ? 16 : 0);
      source += kStep * pitch_bytes;
    }
  }

  __device__ void fetch_rows(char* chunk, const void* rows, uint32_t pitch, uint32_t row,
                             uint32_t index) const {
    constexpr uint32_t kBytes = has_halves(kProducts) ? 2 : 4;
    fetch(chunk, static_cast<const char*>(rows), uint64_t{pitch} * kBytes, row, end_, index);
  }

  // Queries are in Float32: where rows have 16 bits they are rounded on their way.
  __device__ void fetch_queries(char* chunk, uint32_t index) const {
    if constexpr (!has_halves(kProducts)) {
      fetch(chunk, reinterpret_cast<const char*>(queries_.data), uint64_t{queries_.pitch} * 4, first_query_,
            queries_.count, index);
    } else {
      for (uint32_t i = threadIdx.x; i < kTileRows * 8; i += kTileThreads) {
        const uint32_t query = first_query_ + i / 8;
        const uint32_t column = index * chunk_elements(kProducts) + i % 8 * 8;
        float x[8] = {};
        if (query < queries_.count) {
          const float* const from = queries_.data + uint64_t{query} * queries_.pitch;
#pragma unroll
          for (uint32_t e = 0; e < 8; ++e) {
            if (column + e < queries_.pitch) x[e] = from[column + e];
          }
        }
        *reinterpret_cast<uint4*>(chunk + chunk_offset(i / 8, i % 8)) =
            make_uint4(pack<kProducts>(x[0], x[1]), pack<kProducts>(x[2], x[3]), pack<kProducts>(x[4], x[5]),
                       pack<kProducts>(x[6], x[7]));
      }
    }
  }

  const Rows& rows_;
  const Queries& queries_;
  const TilePlan& plan_;
  const uint32_t begin_;
  const uint32_t end_;
  const uint32_t first_query_;
  const uint32_t first_value_chunk_;
  char* const resident_;
  char* const slots_;
  const char* current_ = nullptr;
  uint32_t left_;       // chunks not begun to be fetched
  uint32_t tile_ = 0;   // of the next to be fetched
  uint32_t chunk_ = 0;  // likewise, in its tile
  uint32_t fill_ = 0;   // slot it goes to
  uint32_t use_ = 0;    // slot of the next chunk to be used
};

}  // namespace engram::cuda
