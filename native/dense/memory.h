// The stored side of a dense memory: keys, optional values, removals. Readers take snapshots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/backend.h"

namespace engram::dense {

// Rows that lie together. Row i of the block is item first + i of the memory.
struct Block {
  const float* keys = nullptr;    // rows x dim, row-major
  const float* values = nullptr;  // rows x value_dim; equals keys for an auto-associative memory
  uint64_t first = 0;
  uint64_t rows = 0;
  std::shared_ptr<const void> owner;           // keeps keys and values alive
  std::shared_ptr<engine::Resident> resident;  // the rows' place on the device; null: none
};

// Where a memory is read: the CPU reads rows where they lie, a device keeps copies of them.
struct Placement {
  const engine::Backend* backend = nullptr;
  engine::DeviceOptions options;
};

// What a reader sees: immutable, shared, alive as long as somebody reads it.
struct Snapshot {
  std::vector<Block> blocks;  // ascending, gap-free
  uint64_t count = 0;         // items, removed ones included (their numbers are never reused)
  uint64_t live = 0;          // items not removed
  size_t dim = 0;
  size_t value_dim = 0;
  bool hetero = false;  // values are a matrix of their own
  // Bit i set: item i was removed. nullptr: nothing was. May have fewer than count bits:
  // items stored since the last removal are not removed.
  std::shared_ptr<const std::vector<uint64_t>> removed;
  Placement placement;

  bool is_removed(uint64_t i) const {
    return removed && i / 64 < removed->size() && ((*removed)[i / 64] >> (i % 64) & 1);
  }
};

enum class Similarity : uint8_t { kEuclidean, kCosine, kDot };

// How sharp the memory is; the result of calibrate().
struct Calibration {
  float beta = 0;  // smallest beta at which 99 % of the sample hold >= recall of themselves
  Similarity similarity = Similarity::kEuclidean;
  float recall = 0;          // the share asked for
  uint32_t sample = 0;       // items looked at
  uint32_t unreachable = 0;  // of these: with a duplicate or a stronger rival, no beta reaches recall
  float gap_min = 0, gap_median = 0, gap_max = 0;  // s(x_i, x_i) - max_{j != i} s(x_i, x_j) over the sample
};

// A living memory. All methods may be called from any thread; store and remove are seen by calls
// that take their snapshot afterwards.
class Memory {
 public:
  // value_dim 0: auto-associative. kShape when dim is 0.
  static Result<std::shared_ptr<Memory>> create(size_t dim, size_t value_dim = 0);

  // Moves the reading of the memory to a backend, for the calls that follow. kOutOfMemory where the device
  // has no room for its rows; nothing is changed then.
  Status place(const Placement& placement);

  // Takes room on the device for the rows of the next adopt, so that this one is not refused; gives back what
  // was taken and not used, and with 0 no more than that. kOutOfMemory.
  Status reserve(uint64_t rows);
  // Takes rows where they lie; `owner` keeps them alive. `values` must be null exactly when the
  // memory is auto-associative. No element is read before the first call that needs it. kOutOfMemory where a
  // device has no room for them.
  Status adopt(const float* keys, const float* values, uint64_t rows, std::shared_ptr<const void> owner);
  // Copies rows into arenas whose size doubles; rows already stored stay where they are.
  // kNonFinite (naming row and column), kOutOfMemory; nothing is stored then. Returns the index of
  // the first new item.
  Result<uint64_t> append(const float* keys, const float* values, uint64_t rows);
  // Removes items; those removed before count for nothing. kRange when an index is >= count (nothing
  // is removed then). Returns how many were newly removed.
  Result<uint64_t> remove(std::span<const uint64_t> indices);

  std::shared_ptr<const Snapshot> snapshot() const;
  size_t dim() const noexcept { return dim_; }
  size_t value_dim() const noexcept { return value_dim_; }
  bool hetero() const noexcept { return hetero_; }
  // Bytes this memory allocated itself (arenas, removal bits); adopted rows are not counted.
  size_t native_bytes() const;
  // Bytes it holds on its device.
  uint64_t device_bytes() const;

  std::optional<Calibration> calibration() const;
  void set_calibration(const Calibration& calibration);

 private:
  struct Arena;
  Memory(size_t dim, size_t value_dim, bool hetero);
  Result<std::shared_ptr<Arena>> arena_for(uint64_t rows) const;
  struct Room {
    std::shared_ptr<Arena> arena;
    std::shared_ptr<engine::Resident> resident;
  };
  struct Reserved {
    uint64_t rows;
    std::shared_ptr<engine::Resident> resident;
  };
  Result<Room> room_for(uint64_t rows) const;
  uint64_t spare_rows() const;
  Status reserve_locked(uint64_t rows);
  Result<std::shared_ptr<engine::Resident>> room_on_device(const Snapshot& beside, uint64_t rows) const;

  const size_t dim_;
  const size_t value_dim_;
  const bool hetero_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<Arena> open_arena_;  // the newest arena, may have room
  std::optional<Reserved> reserved_;   // for the next adopt
  size_t native_bytes_ = 0;
  std::optional<Calibration> calibration_;
};

}  // namespace engram::dense
