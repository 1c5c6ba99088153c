// Solving pairs of clouds through a lane.
#pragma once

#include "base/status.h"
#include "cuda/lane.h"
#include "engine/device_transport.h"

namespace engram::cuda {

// See EngramDeviceTransport::solve_pairs. kOutOfMemory, kDevice.
Status solve_batch(Lane& lane, const EngramPairs& pairs);

}  // namespace engram::cuda
