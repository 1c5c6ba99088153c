// A plugin that lacks what this engine needs.
#include "engine/device_table.h"

extern "C" __attribute__((visibility("default"))) const EngramDeviceTable* engram_device_table() {
  static EngramDeviceTable table{};
  table.version = ENGRAM_DEVICE_TABLE_VERSION;
  table.size = sizeof table - sizeof(void*);
  return &table;
}
