// Rows on their way from host memory to a device.
#pragma once

#include <array>
#include <cstdint>

#include "base/status.h"
#include "cuda/buffers.h"
#include "cuda/intake.h"
#include "cuda/streams.h"
#include "engine/device_table.h"

namespace engram::cuda {

// Rows go piece by piece through two pinned buffers: while the device fetches and converts one piece, the
// host fills the other.
class RowTransfer {
 public:
  static constexpr size_t kPieceBytes = size_t{16} << 20;

  // The rows arrive in `stream`, in its order.
  Status open(uint32_t device, const Stream& stream, EngramCopy copy);
  // Waits for copies under way.
  ~RowTransfer();

  // Rows of `width` numbers that go in one piece, at least 1.
  static uint64_t rows_per_piece(uint32_t width);

  // Makes room for sending `count` rows of `width` numbers, which send() does by itself otherwise.
  // kOutOfMemory.
  Status reserve(uint64_t count, uint32_t width);

  // Sends `count` rows of `width` numbers to rows of `pitch` elements. Returns when `from` has been read; the
  // rows are there for what the stream does afterwards. See take_rows() for the rest.
  Status send(const float* from, uint64_t count, uint32_t width, void* to, uint32_t pitch, Element element,
              float* square_norms, IntakeFacts* facts);

  uint64_t device_bytes() const noexcept { return slots_[0].raw.size() + slots_[1].raw.size(); }

 private:
  struct Slot {
    Buffer staging;  // pinned
    Buffer raw;      // the same on the device
    Event fetched;   // the device has read `staging`
    Event taken;     // the kernel has read `raw`
  };

  uint32_t device_ = 0;
  const Stream* stream_ = nullptr;
  EngramCopy copy_ = nullptr;
  Stream copies_;
  std::array<Slot, 2> slots_;
  size_t next_ = 0;
};

}  // namespace engram::cuda
