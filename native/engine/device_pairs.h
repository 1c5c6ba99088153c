// Transport on a device, through the table of a plugin.
#pragma once

#include <memory>

#include "base/status.h"
#include "engine/device_lanes.h"
#include "engine/device_table.h"
#include "engine/pair_solver.h"

namespace engram::engine {

// `table` and `lanes` live for ever. kOutOfMemory, kDevice.
Result<std::shared_ptr<const PairSolver>> make_device_pairs(const EngramDeviceTable& table, uint32_t device,
                                                            DeviceLanes& lanes, const CloudSet& clouds);

}  // namespace engram::engine
