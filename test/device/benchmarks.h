// How fast a device answers: the rows of docs/performance.md about devices.
#pragma once

#include <cstdint>

#include "device/checks.h"

namespace engram::device_test {

// Each measurement is verified on the answer of its last run.
void measure_folds(const Device& device, const Extent& extent, Report& report);
uint64_t count_measurements();

}  // namespace engram::device_test
