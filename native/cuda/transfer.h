// Numbers on their way between host memory and a device.
#pragma once

#include <array>
#include <cstdint>

#include "base/status.h"
#include "cuda/buffers.h"
#include "cuda/intake.h"
#include "cuda/streams.h"
#include "engine/device_table.h"

namespace engram::cuda {

// What is long goes piece by piece through two pinned buffers: while the device copies one piece, the host
// copies the other.
class Transfer {
 public:
  static constexpr size_t kPieceBytes = size_t{16} << 20;

  // All of it happens in `stream`, in its order.
  Status open(uint32_t device, const Stream& stream, EngramCopy copy);
  // Waits for copies under way.
  ~Transfer();

  // Rows of `width` numbers that go in one piece, at least 1.
  static uint64_t rows_per_piece(uint32_t width);

  // Makes room for sending `count` rows of `width` numbers, which send_rows() does by itself otherwise.
  // kOutOfMemory.
  Status reserve_rows(uint64_t count, uint32_t width);

  // Sends `count` rows of `width` numbers to rows of `pitch` elements. Returns when `from` has been read; the
  // rows are there for what the stream does afterwards. See take_rows() for the rest.
  Status send_rows(const float* from, uint64_t count, uint32_t width, void* to, uint32_t pitch,
                   Element element, float* square_norms, IntakeFacts* facts);

  // Makes room for arrays of so many bytes, which pass slowly through pageable memory otherwise.
  // kOutOfMemory.
  Status reserve(size_t bytes);

  // Sends an array as it is. Returns when `from` has been read.
  template <typename T>
  cudaError_t send(T* to, const T* from, size_t count) {
    return send_bytes(to, from, count * sizeof(T));
  }
  // Fetches an array, which is there when the stream has been waited for.
  template <typename T>
  cudaError_t fetch(T* to, const T* from, size_t count) {
    return fetch_bytes(to, from, count * sizeof(T));
  }

  uint64_t device_bytes() const noexcept { return slots_[0].raw.size() + slots_[1].raw.size(); }

 private:
  struct Slot {
    Buffer staging;  // pinned
    Buffer raw;      // the same on the device
    Event copied;    // the device has read `staging`, or written it
    Event taken;     // the kernel has read `raw`
  };

  cudaError_t send_bytes(void* to, const void* from, size_t bytes);
  cudaError_t fetch_bytes(void* to, const void* from, size_t bytes);
  Status reserve_staging(size_t bytes);
  const Slot& next_slot();
  // What goes at once of an array; 0: all of it, by buffers of the driver.
  size_t piece_of(size_t bytes) const;

  static constexpr size_t kShortBytes = size_t{64} << 10;  // the driver is as quick with these

  uint32_t device_ = 0;
  const Stream* stream_ = nullptr;
  EngramCopy copy_ = nullptr;
  Stream copies_;
  std::array<Slot, 2> slots_;
  size_t next_ = 0;
};

}  // namespace engram::cuda
