// Everything that is checked, on a device or, tiny, on a simulated one.
#pragma once

#include <cstdint>

#include "device/device.h"
#include "device/report.h"

namespace engram::device_test {

struct Extent {
  bool tiny = false;  // shapes that a simulated device folds in no time
  uint64_t seed = 0;  // of all random numbers
};

// Every fold x format x term x shape, beside double precision.
void check_folds(const Device& device, const Extent& extent, Report& report);
uint64_t count_fold_checks(const Extent& extent);

// Rows that are filled piece by piece, rows that pass through, the same bits twice, lanes side by side, bad
// input.
void check_memories(const Device& device, const Extent& extent, Report& report);
uint64_t count_memory_checks();

// Pairs of clouds of every size, beside double precision.
void check_pairs(const Device& device, const Extent& extent, Report& report);
uint64_t count_pair_checks();

}  // namespace engram::device_test
