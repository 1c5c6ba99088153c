// Selection of the best ranked items of a buffer in shared memory.
#pragma once

#include <cuda_runtime.h>

#include <cfloat>
#include <cstdint>

#include "cuda/fold.h"

namespace engram::cuda {

// Sorts `count` items, a power of two, best first, by a bitonic network. Called by all threads of a block;
// begins and ends with a barrier.
__device__ inline void sort_best_first(Ranked* items, uint32_t count) {
  for (uint32_t run = 2; run <= count; run *= 2) {
    for (uint32_t step = run / 2; step > 0; step /= 2) {
      __syncthreads();
      for (uint32_t pair = threadIdx.x; pair < count / 2; pair += blockDim.x) {
        const uint32_t low = pair / step * 2 * step + pair % step;
        const bool falling = (low & run) == 0;
        const Ranked a = items[low];
        const Ranked b = items[low + step];
        if ((a < b) == falling) {
          items[low] = b;
          items[low + step] = a;
        }
      }
    }
  }
  __syncthreads();
}

// The k best items of a block so far, for each query (k up to the capacity): a buffer whose front is sorted
// and whose rest the lanes fill. The block meets before a buffer could overflow, and sorts those that would:
// the k-th best is what later items have to beat.
struct BestItems {
  Ranked* items;     // queries x capacity, shared
  Ranked* least;     // queries, shared: items have to be above it
  uint32_t* filled;  // queries, shared
  uint32_t capacity;
  uint32_t queries;
  uint32_t k;

  // `shared` has best_bytes(queries, capacity).
  __device__ BestItems(Ranked* shared, uint32_t queries_, uint32_t k_, uint32_t capacity_)
      : items(shared),
        least(items + uint64_t{queries_} * capacity_),
        filled(reinterpret_cast<uint32_t*>(least + queries_)),
        capacity(capacity_),
        queries(queries_),
        k(k_) {}

  // All functions but offer() are called by all threads.
  __device__ void begin(const float* floor) const {
    for (uint32_t i = threadIdx.x; i < queries * capacity; i += blockDim.x) items[i] = 0;
    for (uint32_t q = threadIdx.x; q < queries; q += blockDim.x) {
      filled[q] = 0;
      // An item that equals the floor may still win by its number.
      const float known = floor == nullptr ? -INFINITY : floor[q];
      least[q] = known > -INFINITY ? static_cast<Ranked>(sortable_bits(known)) << 32 : 0;
    }
    __syncthreads();
  }

  // What a score has to reach: changes when the block meets.
  __device__ float least_score(uint32_t query) const {
    return query < queries && least[query] > 0 ? score_of(least[query]) : -FLT_MAX;
  }

  __device__ void offer(uint32_t query, Ranked ranked) const {
    if (ranked > least[query]) items[query * capacity + atomicAdd(&filled[query], 1U)] = ranked;
  }

  // How many steps, of at most `step` items each, have room until the block must meet again.
  __device__ uint32_t meet(uint32_t step) const {
    uint32_t room = capacity;
    for (uint32_t q = 0; q < queries; ++q) {
      __syncthreads();
      if (filled[q] + step > capacity) {
        sort(q);
        if (threadIdx.x == 0) {
          filled[q] = filled[q] < k ? filled[q] : k;
          const Ranked last = items[q * capacity + k - 1];
          if (last > least[q]) least[q] = last;
        }
        __syncthreads();
      }
      const uint32_t left = capacity - filled[q];
      room = left < room ? left : room;
    }
    __syncthreads();
    return room / step;
  }

  __device__ void sort(uint32_t q) const {
    sort_best_first(items + q * capacity, capacity);
    for (uint32_t i = k + threadIdx.x; i < capacity; i += blockDim.x) items[q * capacity + i] = 0;
  }

  // k of each query, query by query.
  __device__ void write(Ranked* best) const {
    for (uint32_t q = 0; q < queries; ++q) {
      sort(q);
      for (uint32_t r = threadIdx.x; r < k; r += blockDim.x) best[q * k + r] = items[q * capacity + r];
    }
  }
};

// A power of two with room for k items and so many more.
__host__ __device__ inline uint32_t best_capacity(uint32_t k, uint32_t room) {
  uint32_t capacity = 64;
  while (capacity < k + room) capacity *= 2;
  return capacity;
}
constexpr size_t best_bytes(uint32_t queries, uint32_t capacity) {
  return queries * (capacity * sizeof(Ranked) + sizeof(Ranked) + sizeof(uint32_t));
}

}  // namespace engram::cuda
