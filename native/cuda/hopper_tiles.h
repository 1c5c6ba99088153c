// The tiles of the Hopper kernels and where they lie in shared memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/fold.h"

namespace engram::cuda {

inline constexpr uint32_t kHopperQueries = 128;    // of a block: 64 to each of two warpgroups
inline constexpr uint32_t kHopperBoxColumns = 64;  // 128 bytes of 16-bit elements

// What is read out.
enum class HopperReadout : uint8_t { kNone, kKeys, kValues };

constexpr uint32_t hopper_slots(size_t room, size_t slot_bytes) {
  constexpr size_t kMost = 4;  // further ahead gains nothing
  const size_t fitting = room / slot_bytes;
  return static_cast<uint32_t>(fitting < kMost ? fitting : kMost);
}

// Rows of a tile, by its boxes. A warpgroup holds accumulators of 64 x rows scores and 64 x 64 value_boxes of
// readout, and 16-bit weights of 64 x rows; a thread has at most 240 registers.
constexpr uint32_t hopper_rows(uint32_t key_boxes, uint32_t value_boxes) {
  return key_boxes == 4 || value_boxes == 4 ? 80 : 176;
}

// Tiles of rows whose keys have kKeyBoxes boxes of 64 columns and whose readout has kValueBoxes. Keys go
// round in kKeySlots slots, and separate values in kValueSlots.
template <uint32_t kKeys, uint32_t kValues, HopperReadout kReadoutOf>
struct HopperTiles {
  static constexpr uint32_t kKeyBoxes = kKeys;
  static constexpr uint32_t kValueBoxes = kReadoutOf == HopperReadout::kNone ? 0 : kValues;
  static constexpr HopperReadout kReadout = kReadoutOf;

  static constexpr uint32_t kRows = hopper_rows(kKeyBoxes, kValueBoxes);

  static constexpr uint32_t kQueryBoxBytes = kHopperQueries * 128;
  static constexpr uint32_t kBoxBytes = kRows * 128;
  static constexpr uint32_t kQueryBytes = kKeyBoxes * kQueryBoxBytes;
  static constexpr uint32_t kKeyBytes = kKeyBoxes * kBoxBytes;
  static constexpr uint32_t kValueBytes = kReadoutOf == HopperReadout::kValues ? kValueBoxes * kBoxBytes : 0;
  static constexpr uint32_t kTermBytes = kRows * sizeof(Term);  // of one tile, beside its keys

  static constexpr uint32_t kMostBytes = 227U << 10;  // of a block
  static constexpr uint32_t kBarrierBytes = 256;
  static constexpr uint32_t kRoom = kMostBytes - kQueryBytes - kBarrierBytes;
  static constexpr uint32_t kKeySlots = hopper_slots(kRoom, kKeyBytes + kTermBytes + kValueBytes);
  static constexpr uint32_t kValueSlots = kValueBytes == 0 ? 0 : kKeySlots;

  // Offsets.
  static constexpr uint32_t kFirstKeys = kQueryBytes;
  static constexpr uint32_t kFirstValues = kFirstKeys + kKeySlots * kKeyBytes;
  static constexpr uint32_t kFirstTerms = kFirstValues + kValueSlots * kValueBytes;
  static constexpr uint32_t kFirstBarrier = kFirstTerms + kKeySlots * kTermBytes;
  static constexpr uint32_t kBytes = kFirstBarrier + kBarrierBytes;

  static_assert(kKeySlots >= 2 && kBytes <= kMostBytes);
  static_assert(kRows % 16 == 0 && kBoxBytes % 1024 == 0);
};

}  // namespace engram::cuda
