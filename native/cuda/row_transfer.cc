#include "cuda/row_transfer.h"

#include <algorithm>
#include <utility>

#include "cuda/check.h"
#include "cuda/resident_rows.h"

namespace engram::cuda {

Status RowTransfer::open(uint32_t device, const Stream& stream, EngramCopy copy) {
  device_ = device;
  stream_ = &stream;
  copy_ = copy;
  Result<Stream> copies = Stream::create(device);
  if (!copies.ok()) return copies.status();
  copies_ = std::move(copies).value();
  for (Slot& slot : slots_) {
    for (Event* event : {&slot.fetched, &slot.taken}) {
      Result<Event> created = Event::create(device);
      if (!created.ok()) return created.status();
      *event = std::move(created).value();
    }
  }
  return {};
}

RowTransfer::~RowTransfer() {
  if (copies_.get() == nullptr) return;
  cudaStreamSynchronize(copies_.get());
  cudaGetLastError();
}

uint64_t RowTransfer::rows_per_piece(uint32_t width) {
  return std::max<uint64_t>(1, kPieceBytes / (width * sizeof(float)));
}

// Pieces may be smaller than kPieceBytes where there are few rows; buffers grow with them.
Status RowTransfer::reserve(uint64_t count, uint32_t width) {
  const size_t bytes = std::min(rows_per_piece(width), count) * width * sizeof(float);
  for (Slot& slot : slots_) {
    if (std::min(slot.staging.size(), slot.raw.size()) >= bytes) continue;
    Status status = check(slot.fetched.wait(), device_, "copying rows to the device");
    if (status.ok()) status = check(slot.taken.wait(), device_, "taking rows in");
    if (status.ok()) status = slot.staging.reserve(Buffer::Kind::kPinned, device_, bytes, "staging rows");
    if (status.ok()) status = slot.raw.reserve(Buffer::Kind::kDevice, device_, bytes, "staged rows");
    if (!status.ok()) return status;
  }
  return {};
}

Status RowTransfer::send(const float* from, uint64_t count, uint32_t width, void* to, uint32_t pitch,
                         Element element, float* square_norms, IntakeFacts* facts) {
  const size_t row_bytes = width * sizeof(float);
  const uint64_t most = std::min(rows_per_piece(width), count);
  Status status = reserve(count, width);
  for (uint64_t row = 0; row < count && status.ok(); row += most) {
    const uint64_t rows = std::min(most, count - row);
    const Slot& slot = slots_[next_];
    next_ = 1 - next_;
    status = check(slot.fetched.wait(), device_, "copying rows to the device");
    if (!status.ok()) return status;
    copy_(slot.staging.as<void>(), from + row * width, rows * row_bytes);

    std::byte* const target = static_cast<std::byte*>(to) + row * pitch * element_bytes(element);
    cudaError_t error = slot.taken.hold_back(copies_);
    if (error == cudaSuccess) {
      error = cudaMemcpyAsync(slot.raw.as<void>(), slot.staging.as<void>(), rows * row_bytes,
                              cudaMemcpyHostToDevice, copies_.get());
    }
    if (error == cudaSuccess) error = slot.fetched.record(copies_);
    if (error == cudaSuccess) error = slot.fetched.hold_back(*stream_);
    if (error == cudaSuccess) {
      error = take_rows(slot.raw.as<float>(), rows, width, target, pitch, element,
                        square_norms == nullptr ? nullptr : square_norms + row, facts, stream_->get());
    }
    if (error == cudaSuccess) error = slot.taken.record(*stream_);
    status = check(error, device_, "copying rows to the device");
  }
  return status;
}

}  // namespace engram::cuda
