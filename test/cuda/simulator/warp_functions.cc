#include "warp_functions.h"

#include <array>
#include <atomic>

namespace engram::simulator {

void perform_shuffle(void* const* operands, uint32_t mask) {
  std::array<uint64_t, kWarpLanes> values{};
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    if ((mask >> lane & 1) != 0) values[lane] = static_cast<Shuffle*>(operands[lane])->value;
  }
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    auto& shuffle = *static_cast<Shuffle*>(operands[lane]);
    if ((mask >> shuffle.source & 1) == 0) report_defect("a shuffle from a lane that the mask does not name");
    shuffle.value = values[shuffle.source];
  }
}

void perform_vote(void* const* operands, uint32_t mask) {
  uint32_t ballot = 0;
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    if ((mask >> lane & 1) != 0 && static_cast<Vote*>(operands[lane])->predicate) ballot |= 1U << lane;
  }
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    if ((mask >> lane & 1) != 0) static_cast<Vote*>(operands[lane])->ballot = ballot;
  }
}

void perform_nothing(void* const*, uint32_t) {}

}  // namespace engram::simulator

long long clock64() {
  static std::atomic<long long> readers{0};
  return ++readers;
}
