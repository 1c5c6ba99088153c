// Rows of a memory that stay on a device.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda/buffers.h"
#include "cuda/fold.h"
#include "engine/device_table.h"

namespace engram::cuda {

size_t element_bytes(Element element);
// Elements from one row to the next where a row holds `width`: rows begin on kRowAlignment bytes.
uint32_t pitch_of(uint32_t width, Element element);

struct RowShape;

// Where rows of one layout lie in memory of the device.
struct RowArrays {
  void* keys = nullptr;
  void* values = nullptr;  // null where keys are the values
  float* square_norms = nullptr;

  // The same from row `row` on.
  RowArrays from(const RowShape& shape, uint64_t row) const;
};

// The shape of stored rows.
struct RowShape {
  uint32_t dim = 0;
  uint32_t width = 0;  // of separate values; 0: keys are the values
  Element element = Element::kFloat32;

  uint32_t key_pitch() const { return pitch_of(dim, element); }
  uint32_t value_pitch() const { return width == 0 ? key_pitch() : pitch_of(width, element); }
  // Takes the arrays of `count` rows, and says by that how many bytes they need.
  RowArrays cut(Cutter& cutter, uint64_t count) const;
  // The rows [row, row + count) of the arrays, the first being item `first`, to be read out as asked: keys or
  // separate values, or neither (readout false). The rest of `rows` is the caller's.
  Rows view(const RowArrays& arrays, uint64_t row, uint64_t first, uint32_t count, bool readout,
            bool read_keys) const;
};

class ResidentRows {
 public:
  // kOutOfMemory.
  static Result<ResidentRows*> create(uint32_t device, const EngramRowsLayout& layout);

  uint32_t device() const noexcept { return device_; }
  uint64_t capacity() const noexcept { return capacity_; }
  const RowShape& shape() const noexcept { return shape_; }
  const RowArrays& arrays() const noexcept { return arrays_; }
  uint64_t bytes() const noexcept { return buffer_.size(); }
  // At least |x|^2 of every key filled in so far. May be noted while others read.
  float largest_square_norm() const noexcept { return largest_square_norm_.load(std::memory_order_relaxed); }
  void note_square_norm(float found) noexcept;

 private:
  ResidentRows() = default;
  uint32_t device_ = 0;
  uint64_t capacity_ = 0;
  RowShape shape_;
  Buffer buffer_;
  RowArrays arrays_;
  std::atomic<float> largest_square_norm_{0};
};

}  // namespace engram::cuda
