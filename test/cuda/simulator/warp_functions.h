// Functions by which the threads of a warp and of a block meet.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.h"
#include "defect.h"

namespace engram::simulator {

struct Shuffle {
  uint64_t value;   // in: the lane's; out: the one it gets
  uint32_t source;  // lane
};
void perform_shuffle(void* const* operands, uint32_t mask);

struct Vote {
  bool predicate;
  uint32_t ballot;
};
void perform_vote(void* const* operands, uint32_t mask);

template <typename T>
T shuffle(uint32_t mask, T value, uint32_t source) {
  static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  Shuffle operand{0, source};
  std::memcpy(&operand.value, &value, sizeof value);
  do_as_warp("shuffle", perform_shuffle, mask, &operand);
  std::memcpy(&value, &operand.value, sizeof value);
  return value;
}

inline uint32_t vote(uint32_t mask, bool predicate) {
  Vote operand{predicate, 0};
  do_as_warp("vote", perform_vote, mask, &operand);
  return operand.ballot;
}

void perform_nothing(void* const* operands, uint32_t mask);

}  // namespace engram::simulator

// Sources outside of the segment of `width` lanes: the lane's own value.
template <typename T>
inline T __shfl_sync(unsigned int mask, T value, int source, int width = 32) {
  const int lane = static_cast<int>(engram::simulator::lane_number());
  return engram::simulator::shuffle(mask, value,
                                    static_cast<uint32_t>((lane & -width) | (source & (width - 1))));
}
template <typename T>
inline T __shfl_xor_sync(unsigned int mask, T value, int lanes, int width = 32) {
  const int lane = static_cast<int>(engram::simulator::lane_number());
  const int source = lane ^ lanes;
  const bool before_the_end = source < (lane & -width) + width;
  return engram::simulator::shuffle(mask, value, static_cast<uint32_t>(before_the_end ? source : lane));
}
template <typename T>
inline T __shfl_up_sync(unsigned int mask, T value, unsigned int lanes, int width = 32) {
  const int lane = static_cast<int>(engram::simulator::lane_number());
  const int source = lane - static_cast<int>(lanes);
  return engram::simulator::shuffle(mask, value,
                                    static_cast<uint32_t>(source >= (lane & -width) ? source : lane));
}
template <typename T>
inline T __shfl_down_sync(unsigned int mask, T value, unsigned int lanes, int width = 32) {
  const int lane = static_cast<int>(engram::simulator::lane_number());
  const int source = lane + static_cast<int>(lanes);
  const bool before_the_end = source < (lane & -width) + width;
  return engram::simulator::shuffle(mask, value, static_cast<uint32_t>(before_the_end ? source : lane));
}

inline unsigned int __ballot_sync(unsigned int mask, int predicate) {
  return engram::simulator::vote(mask, predicate != 0);
}
inline int __any_sync(unsigned int mask, int predicate) {
  return engram::simulator::vote(mask, predicate != 0) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned int mask, int predicate) {
  return engram::simulator::vote(mask, predicate != 0) == mask ? 1 : 0;
}
inline void __syncwarp(unsigned int mask = 0xFFFFFFFFU) {
  engram::simulator::do_as_warp("__syncwarp", engram::simulator::perform_nothing, mask, nullptr);
}

inline void __syncthreads() { engram::simulator::wait_at_barrier(0, 0, false); }
inline int __syncthreads_count(int predicate) {
  return static_cast<int>(engram::simulator::wait_at_barrier(0, 0, predicate != 0).with_nonzero);
}
inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) != 0 ? 1 : 0; }
inline int __syncthreads_and(int predicate) {
  const engram::simulator::Gathered gathered = engram::simulator::wait_at_barrier(0, 0, predicate != 0);
  return gathered.with_nonzero == gathered.threads ? 1 : 0;
}

inline size_t __cvta_generic_to_shared(const void* pointer) {
  return engram::simulator::shared_address(pointer);
}

// A clock that counts its readers.
long long clock64();
inline void __nanosleep(unsigned int) {}
[[noreturn]] inline void __trap() { engram::simulator::report_defect("__trap()"); }
