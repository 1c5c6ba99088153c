#include "cuda/transfer.h"

#include <algorithm>
#include <utility>

#include "cuda/check.h"
#include "cuda/resident_rows.h"

namespace engram::cuda {

Status Transfer::open(uint32_t device, const Stream& stream, EngramCopy copy) {
  device_ = device;
  stream_ = &stream;
  copy_ = copy;
  Result<Stream> copies = Stream::create(device);
  if (!copies.ok()) return copies.status();
  copies_ = std::move(copies).value();
  for (Slot& slot : slots_) {
    for (Event* event : {&slot.copied, &slot.taken}) {
      Result<Event> created = Event::create(device);
      if (!created.ok()) return created.status();
      *event = std::move(created).value();
    }
  }
  return {};
}

Transfer::~Transfer() {
  if (copies_.get() == nullptr) return;
  cudaStreamSynchronize(copies_.get());
  cudaGetLastError();
}

uint64_t Transfer::rows_per_piece(uint32_t width) {
  return std::max<uint64_t>(1, kPieceBytes / (width * sizeof(float)));
}

// Pieces may be smaller than kPieceBytes where there are few rows; buffers grow with them.
Status Transfer::reserve_rows(uint64_t count, uint32_t width) {
  const size_t bytes = std::min(rows_per_piece(width), count) * width * sizeof(float);
  Status status = reserve_staging(bytes);
  for (Slot& slot : slots_) {
    if (!status.ok()) return status;
    if (slot.raw.size() >= bytes) continue;
    status = check(slot.taken.wait(), device_, "taking rows in");
    if (status.ok()) status = slot.raw.reserve(Buffer::Kind::kDevice, device_, bytes, "staged rows");
  }
  return status;
}

Status Transfer::reserve_staging(size_t bytes) {
  bytes = std::max(bytes, kShortBytes);
  for (Slot& slot : slots_) {
    if (slot.staging.size() >= bytes) continue;
    Status status = check(slot.copied.wait(), device_, "copying to the device");
    if (status.ok()) status = slot.staging.reserve(Buffer::Kind::kPinned, device_, bytes, "staging");
    if (!status.ok()) return status;
  }
  return {};
}

Status Transfer::send_rows(const float* from, uint64_t count, uint32_t width, void* to, uint32_t pitch,
                           Element element, float* square_norms, IntakeFacts* facts) {
  const size_t row_bytes = width * sizeof(float);
  const uint64_t most = std::min(rows_per_piece(width), count);
  Status status = reserve_rows(count, width);
  for (uint64_t row = 0; row < count && status.ok(); row += most) {
    const uint64_t rows = std::min(most, count - row);
    const Slot& slot = next_slot();
    status = check(slot.copied.wait(), device_, "copying to the device");
    if (!status.ok()) return status;
    copy_(slot.staging.as<void>(), from + row * width, rows * row_bytes);

    std::byte* const target = static_cast<std::byte*>(to) + row * pitch * element_bytes(element);
    cudaError_t error = slot.taken.hold_back(copies_);
    if (error == cudaSuccess) {
      error = cudaMemcpyAsync(slot.raw.as<void>(), slot.staging.as<void>(), rows * row_bytes,
                              cudaMemcpyHostToDevice, copies_.get());
    }
    if (error == cudaSuccess) error = slot.copied.record(copies_);
    if (error == cudaSuccess) error = slot.copied.hold_back(*stream_);
    if (error == cudaSuccess) {
      error = take_rows(slot.raw.as<float>(), rows, width, target, pitch, element,
                        square_norms == nullptr ? nullptr : square_norms + row, facts, stream_->get());
    }
    if (error == cudaSuccess) error = slot.taken.record(*stream_);
    status = check(error, device_, "copying to the device");
  }
  return status;
}

Status Transfer::reserve(size_t bytes) {
  return bytes <= kShortBytes ? Status() : reserve_staging(std::min(bytes, kPieceBytes));
}

const Transfer::Slot& Transfer::next_slot() {
  next_ = 1 - next_;
  return slots_[next_];
}

size_t Transfer::piece_of(size_t bytes) const {
  return bytes <= kShortBytes ? 0 : std::min(slots_[0].staging.size(), slots_[1].staging.size());
}

cudaError_t Transfer::send_bytes(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  const size_t piece = piece_of(bytes);
  if (piece == 0) return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_->get());
  cudaError_t error = cudaSuccess;
  for (size_t at = 0; at < bytes && error == cudaSuccess; at += piece) {
    const size_t now = std::min(piece, bytes - at);
    const Slot& slot = next_slot();
    error = slot.copied.wait();
    if (error != cudaSuccess) break;
    copy_(slot.staging.as<void>(), static_cast<const std::byte*>(from) + at, now);
    error = cudaMemcpyAsync(static_cast<std::byte*>(to) + at, slot.staging.as<void>(), now,
                            cudaMemcpyHostToDevice, stream_->get());
    if (error == cudaSuccess) error = slot.copied.record(*stream_);
  }
  return error;
}

cudaError_t Transfer::fetch_bytes(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  const size_t piece = piece_of(bytes);
  if (piece == 0) return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_->get());
  const auto bring = [&](const Slot& slot, size_t at) {
    cudaError_t error = slot.copied.wait();
    if (error == cudaSuccess) {
      error = cudaMemcpyAsync(slot.staging.as<void>(), static_cast<const std::byte*>(from) + at,
                              std::min(piece, bytes - at), cudaMemcpyDeviceToHost, stream_->get());
    }
    return error == cudaSuccess ? slot.copied.record(*stream_) : error;
  };
  // While the host takes a piece out, the device brings the next.
  const Slot* slot = &next_slot();
  cudaError_t error = bring(*slot, 0);
  for (size_t at = 0; at < bytes && error == cudaSuccess; at += piece) {
    const Slot& next = next_slot();
    if (bytes - at > piece) error = bring(next, at + piece);
    if (error == cudaSuccess) error = slot->copied.wait();
    if (error == cudaSuccess) {
      copy_(static_cast<std::byte*>(to) + at, slot->staging.as<void>(), std::min(piece, bytes - at));
    }
    slot = &next;
  }
  return error;
}

}  // namespace engram::cuda
