// Filling resident rows.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "cuda/lane.h"
#include "cuda/resident_rows.h"

namespace engram::cuda {

// Copies rows in, see EngramDeviceTable::fill_rows.
Status fill_rows(Lane& lane, ResidentRows& rows, uint64_t first, uint64_t count, const float* keys,
                 const float* values);

}  // namespace engram::cuda
