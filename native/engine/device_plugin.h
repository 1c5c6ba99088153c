// The plugin that computes on devices: loaded and checked once, silently.
#pragma once

#include <string>

#include "base/status.h"
#include "engine/device_table.h"

namespace engram::engine {

// Loads the library at an absolute path and shakes hands with it. kDevice with the reason: no such file, not
// a loadable library, no table in it, or one of another version.
Result<const EngramDeviceTable*> load_device_plugin(const std::string& path);

// Where the plugin lies; without this there is none. Counts only before the first device_plugin().
void set_device_plugin_path(std::string path);

// The plugin of this process and how many devices it found, or why there is none. The same for ever: probed
// by the first call.
struct DevicePlugin {
  const EngramDeviceTable* table = nullptr;
  uint32_t devices = 0;
  std::string reason;  // why there are no devices; empty where there are
};
const DevicePlugin& device_plugin();

// What a function of the table returned, as a Status.
Status device_status(int32_t code, const EngramFailure& failure);

}  // namespace engram::engine
