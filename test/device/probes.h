// What a device can do at most, measured or from its properties: the floors of measurements.
#pragma once

#include <cstdint>

#include "device/device.h"

namespace engram::device_test {

struct Limits {
  double bytes_per_second = 0;         // of its memory: read and written by a copy on the device
  double upload_bytes_per_second = 0;  // from pinned host memory
  double clock = 0;                    // hertz, at most
  double products_16 = 0;              // dense FLOP per second of matrix units, 16-bit factors; 0: not known
  double products_tf32 = 0;
  double exponentials = 0;  // per second, of the special function units
};

// Copies so many bytes, several times. Throws Refusal where the device fails.
Limits probe_limits(const Device& device, uint64_t bytes);

}  // namespace engram::device_test
