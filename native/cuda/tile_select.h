// Selection by a warp from the scores of 16 queries, as they lie in accumulators: lane 4 g + t has scores of
// queries g and g + 8. Nothing here waits for other warps.
#pragma once

#include <cuda_runtime.h>

#include <cfloat>
#include <cstdint>

#include "cuda/fold.h"

namespace engram::cuda {

inline constexpr uint32_t kWarpQueries = 16;
inline constexpr uint32_t kPending = 32;  // ranked items of a query that wait to be merged into its best
inline constexpr uint32_t kWholeWarp = 0xFFFFFFFFU;

static_assert(kPending == 32, "one to a lane when they are sorted");

// Scores of a lane for 16 rows of the memory: of row 8 b + 2 (lane % 4) + c of the 16 for query lane / 4 + 8
// h it is score[b][2 h + c].
using SixteenRows = float[2][4];

// Which of the lane's scores for a query are above a bar: bit 2 b + c.
__device__ inline uint32_t passing(const SixteenRows& score, int half, float bar) {
  uint32_t bits = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) bits |= score[i / 2][2 * half + i % 2] > bar ? 1U << i : 0U;
  return bits;
}
__device__ inline uint32_t row_of_lane(int i) { return i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2; }

// The sum of `count` over this lane and those before it, in groups of `lanes`.
__device__ inline uint32_t sum_up_to(uint32_t count, uint32_t lanes) {
  for (uint32_t apart = 1; apart < lanes; apart *= 2) {
    const uint32_t before = __shfl_up_sync(kWholeWarp, count, apart, static_cast<int>(lanes));
    if (threadIdx.x % lanes >= apart) count += before;
  }
  return count;
}

// Items of a list, best first, that are better than `item`.
__device__ inline uint32_t count_better(const Ranked* list, uint32_t count, Ranked item) {
  uint32_t low = 0;
  while (low < count) {
    const uint32_t middle = (low + count) / 2;
    if (list[middle] > item) {
      low = middle + 1;
    } else {
      count = middle;
    }
  }
  return low;
}

// One item of each lane: one step of a bitonic network over the warp. `falls`: the better one to the lower
// lane.
__device__ inline Ranked exchange(Ranked item, uint32_t step, bool falls) {
  const Ranked other = __shfl_xor_sync(kWholeWarp, item, static_cast<int>(step));
  const bool wants_better = ((threadIdx.x & step) == 0) == falls;
  return (other > item) == wants_better ? other : item;
}
// The items of all lanes, best first.
__device__ inline Ranked sort_over_lanes(Ranked item) {
  for (uint32_t run = 2; run <= 32; run *= 2) {
    for (uint32_t step = run / 2; step > 0; step /= 2) {
      item = exchange(item, step, (threadIdx.x % 32 & run) == 0);
    }
  }
  return item;
}
// The best 32 of two such lists, best first.
__device__ inline Ranked merge_over_lanes(Ranked item, Ranked other) {
  other = __shfl_xor_sync(kWholeWarp, other, 31);
  if (other > item) item = other;
  for (uint32_t step = 16; step > 0; step /= 2) item = exchange(item, step, true);
  return item;
}

// The best items of a warp's 16 queries. They lie sorted in global memory; new ones wait in shared memory
// until there is no room for more, and are then merged in. Only then does the bar rise that items have to
// take; still, merges are few: of rows in random order each one multiplies those that have been seen by about
// 1 + kPending / k.
class WarpBest {
 public:
  // `pending`: 16 x kPending, shared; `best`: 16 x k, global, of which the first `queries` are there; `floor`
  // of those queries, may be null.
  __device__ WarpBest(Ranked* pending, Ranked* best, uint32_t k, uint32_t queries, const float* floor)
      : pending_(pending), best_(best), k_(k) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      filled_[half] = 0;
      const uint32_t query = threadIdx.x % 32 / 4 + 8 * half;
      bar_[half] = query >= queries ? INFINITY : floor == nullptr ? -INFINITY : just_below(floor[query]);
    }
    for (uint64_t i = threadIdx.x % 32; i < uint64_t{queries} * k; i += 32) best_[i] = 0;
    __syncwarp();
  }

  // What scores of the lane's queries have to be above.
  __device__ float bar(int half) const { return bar_[half]; }

  // Takes what is above the bar. `item`: the first of the 16 rows.
  __device__ void offer(const SixteenRows& score, uint32_t item) {
    uint32_t bits[2];
    uint32_t before[2];  // passing scores of the lanes before this one with the same query
    uint32_t all[2];     // of all four
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      bits[half] = passing(score, half, bar_[half]);
      const uint32_t count = __popc(bits[half]);
      const uint32_t after = sum_up_to(count, 4);
      before[half] = after - count;
      all[half] = __shfl_sync(kWholeWarp, after, 3, 4);
    }
    merge_where(filled_[0] + all[0] > kPending, filled_[1] + all[1] > kPending);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Ranked* to = pending_ + (threadIdx.x % 32 / 4 + 8 * half) * kPending + filled_[half] + before[half];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        // -0 + 0 is 0: equal scores rank by item alone.
        if ((bits[half] >> i & 1) != 0) {
          *to++ = rank(score[i / 2][2 * half + i % 2] + 0.0F, item + row_of_lane(i));
        }
      }
      filled_[half] += all[half];
    }
  }

  // Merges all that wait.
  __device__ void finish() { merge_where(filled_[0] > 0, filled_[1] > 0); }

 private:
  // The largest number below a floor: an item that equals it may still win by its number.
  __device__ static float just_below(float floor) {
    if (!(floor >= -FLT_MAX)) return -INFINITY;
    if (floor == 0) return -__uint_as_float(1);
    return score_of(static_cast<Ranked>(sortable_bits(floor) - 1) << 32);
  }

  // Merges what waits for those of the lanes' queries that are full. Of the four lanes of a query the first
  // speaks for query g, the second for g + 8.
  __device__ void merge_where(bool first_full, bool second_full) {
    const uint32_t t = threadIdx.x % 4;
    uint32_t full = __ballot_sync(kWholeWarp, (t == 0 && first_full) || (t == 1 && second_full) ? 1 : 0);
    for (; full != 0; full &= full - 1) merge(__ffs(static_cast<int>(full)) - 1);
  }

  // Merges what waits for the query that a lane speaks for.
  __device__ void merge(int speaker) {
    const uint32_t lane = threadIdx.x % 32;
    const bool second = speaker % 4 == 1;
    const uint32_t query = speaker / 4 + (second ? 8 : 0);
    const uint32_t count = __shfl_sync(kWholeWarp, second ? filled_[1] : filled_[0], speaker);
    Ranked* const pending = pending_ + query * kPending;
    Ranked* const best = best_ + uint64_t{query} * k_;
    __syncwarp();
    const Ranked mine = sort_over_lanes(lane < count ? pending[lane] : 0);
    const Ranked last = k_ <= 32 ? merge_few(best, mine) : merge_many(best, pending, mine, count);
    if (lane / 4 != static_cast<uint32_t>(speaker) / 4) return;
    // Items rise: one that equals the last of the best comes after it.
    const float least = last == 0 ? -INFINITY : score_of(last);
    if (second) {
      filled_[1] = 0;
      bar_[1] = fmaxf(bar_[1], least);
    } else {
      filled_[0] = 0;
      bar_[0] = fmaxf(bar_[0], least);
    }
  }

  // Merges sorted items, one to a lane, into a list of at most 32. Returns its last.
  __device__ Ranked merge_few(Ranked* best, Ranked mine) const {
    const uint32_t lane = threadIdx.x % 32;
    const Ranked merged = merge_over_lanes(mine, lane < k_ ? best[lane] : 0);
    if (lane < k_) best[lane] = merged;
    return __shfl_sync(kWholeWarp, merged, static_cast<int>(k_ - 1));
  }

  // The same for a longer list.
  __device__ Ranked merge_many(Ranked* best, Ranked* pending, Ranked mine, uint32_t count) const {
    const uint32_t lane = threadIdx.x % 32;
    pending[lane] = mine;
    const uint32_t at = mine == 0 ? k_ : lane + count_better(best, k_, mine);
    __syncwarp();
    make_room(best, pending, count);
    if (at < k_) best[at] = mine;
    __syncwarp();
    return best[k_ - 1];
  }

  // Moves every item of `best` behind the better ones of `pending`, from the last on: what is written over
  // has been read.
  __device__ void make_room(Ranked* best, const Ranked* pending, uint32_t count) const {
    constexpr uint32_t kItems = 4;  // of a lane at a time
    const uint32_t steps = (k_ + 32 * kItems - 1) / (32 * kItems);
    for (uint32_t step = steps; step-- > 0;) {
      Ranked item[kItems];
      uint32_t to[kItems];
#pragma unroll
      for (uint32_t i = 0; i < kItems; ++i) {
        const uint32_t from = (step * kItems + i) * 32 + threadIdx.x % 32;
        item[i] = from < k_ ? best[from] : 0;
        to[i] = item[i] == 0 ? k_ : from + count_better(pending, count, item[i]);
      }
      __syncwarp();
#pragma unroll
      for (uint32_t i = 0; i < kItems; ++i) {
        if (to[i] < k_) best[to[i]] = item[i];
      }
    }
    __syncwarp();
  }

  Ranked* const pending_;
  Ranked* const best_;
  const uint32_t k_;
  uint32_t filled_[2];  // of the lane's queries; the same in the four lanes of a query
  float bar_[2];        // likewise
};

// Lists what is above the bars of the lane's queries. `item`: the first of the 16 rows; `query`: the first of
// the 16 queries.
__device__ inline void list_hits(const HitList& list, const SixteenRows& score, const float (&bar)[2],
                                 uint32_t query, uint32_t item) {
  const uint32_t bits = passing(score, 0, bar[0]) | passing(score, 1, bar[1]) << 4;
  const uint32_t count = __popc(bits);
  const uint32_t after = sum_up_to(count, 32);
  unsigned long long first = 0;
  if (threadIdx.x % 32 == 31 && after > 0)
    first = atomicAdd(list.found, static_cast<unsigned long long>(after));
  unsigned long long at = __shfl_sync(kWholeWarp, first, 31) + after - count;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((bits >> (4 * half + i) & 1) == 0) continue;
      if (at < list.capacity) {
        list.hits[at] = {query + threadIdx.x % 32 / 4 + 8 * half, item + row_of_lane(i),
                         score[i / 2][2 * half + i % 2]};
      }
      ++at;
    }
  }
}

}  // namespace engram::cuda
