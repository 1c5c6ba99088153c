// Transport on a device, through the table of a plugin.
#pragma once

#include <memory>

#include "base/status.h"
#include "engine/device_lanes.h"
#include "engine/device_table.h"
#include "engine/pair_solver.h"

namespace engram::engine {

// A solver of problems with these clouds, whose arrays must outlive it; `table` and `lanes` live for ever.
// Clouds of up to `most_bytes` come to the device with the first pairs, and stay; larger ones pass through
// it. kOutOfMemory, kDevice.
Result<std::shared_ptr<const PairSolver>> make_device_pairs(const EngramDeviceTable& table, uint32_t device,
                                                            DeviceLanes& lanes, const CloudSet& clouds,
                                                            uint64_t most_bytes);

}  // namespace engram::engine
