// A plugin of another time.
#include "engine/device_table.h"

extern "C" __attribute__((visibility("default"))) const EngramDeviceTable* engram_device_table() {
  static EngramDeviceTable table{};
  table.version = ENGRAM_DEVICE_TABLE_VERSION + 1;
  table.size = sizeof table;
  return &table;
}
