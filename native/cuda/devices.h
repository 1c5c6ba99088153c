// The devices of this machine.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "engine/device_table.h"

namespace engram::cuda {

// kDevice with the reason where there is no usable driver or no device.
Result<uint32_t> count_devices();
Result<EngramDeviceFacts> device_facts(uint32_t device);
// Makes the device the calling thread's; kDevice where it cannot be used.
Status use_device(uint32_t device);

}  // namespace engram::cuda
