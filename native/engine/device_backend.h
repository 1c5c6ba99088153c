// Score-and-fold on a device, through the table of a plugin.
#pragma once

#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/device_table.h"

namespace engram::engine {

// The backend of one device; kept for ever. kDevice where the device cannot be used.
Result<std::unique_ptr<Backend>> make_device_backend(const EngramDeviceTable& table, uint32_t device);

}  // namespace engram::engine
