// Copies of rows that a device keeps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram::engine {

// How a device keeps Float32 rows. Always said by the caller, never chosen for it.
enum class Storage : uint8_t { kFloat32, kFloat16, kBfloat16 };
// How a device multiplies Float32 rows where there are many queries.
enum class Arithmetic : uint8_t {
  kTf32x3,    // three products of tf32 halves: the accuracy of Float32
  kTf32,      // 10 bits of mantissa
  kBfloat16,  // 7 bits
};

inline constexpr uint32_t kMostDeviceK = 1024;  // of top-k on a device; larger ones are selected on the CPU

struct DeviceOptions {
  Storage storage = Storage::kFloat32;
  Arithmetic arithmetic = Arithmetic::kTf32x3;
};

// How far rows as a device keeps and multiplies them lie from those given: an element x moves by at most
// relative * |x| + absolute, and with it those of queries.
struct Rounding {
  double relative = 0;
  double absolute = 0;
  bool none() const noexcept { return relative == 0; }
};

// None where scores have the accuracy of Float32.
constexpr Rounding rounding_of(const DeviceOptions& options) noexcept {
  if (options.storage == Storage::kFloat16) return {0x1p-11, 0x1p-25};
  if (options.storage == Storage::kBfloat16) return {0x1p-8, 0};
  if (options.arithmetic == Arithmetic::kTf32) return {0x1p-11, 0};
  if (options.arithmetic == Arithmetic::kBfloat16) return {0x1p-8, 0};
  return {};
}

// Room for rows of one block of a memory. Filled from host memory by the passes that need the rows, once.
class Resident {
 public:
  virtual ~Resident() = default;
  virtual uint64_t bytes() const = 0;  // of the device
};

struct ResidentLayout {
  uint64_t capacity = 0;  // rows
  size_t dim = 0;
  size_t value_dim = 0;  // 0: keys are the values
  Storage storage = Storage::kFloat32;
  uint64_t beside = 0;  // bytes the same memory holds on the device already
};

}  // namespace engram::engine
