// Streams and events that end with their owners.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "base/status.h"

namespace engram::cuda {

class Stream {
 public:
  Stream() = default;
  static Result<Stream> create(uint32_t device);
  Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
  }
  ~Stream() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  cudaStream_t get() const noexcept { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// A point in a stream that others wait for.
class Event {
 public:
  Event() = default;
  static Result<Event> create(uint32_t device);
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  cudaError_t record(const Stream& stream) const { return cudaEventRecord(event_, stream.get()); }
  // The stream goes on only when the event's last record has been reached.
  cudaError_t hold_back(const Stream& stream) const { return cudaStreamWaitEvent(stream.get(), event_, 0); }
  // The calling thread waits: it looks for some microseconds, then sleeps. An event never recorded is
  // reached.
  cudaError_t wait() const;

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace engram::cuda
