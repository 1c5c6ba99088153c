// Memory of a device, and host memory that a device copies from by itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace engram::cuda {

// Owned memory of one kind: of a device, or pinned host memory. Not initialised.
class Buffer {
 public:
  enum class Kind : uint8_t { kDevice, kPinned };

  Buffer() = default;
  // kOutOfMemory, saying how many bytes were asked for and what for.
  static Result<Buffer> allocate(Kind kind, uint32_t device, size_t bytes, const char* purpose);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  // At least `bytes`; what was there is lost when it has to grow.
  Status reserve(Kind kind, uint32_t device, size_t bytes, const char* purpose);

  size_t size() const noexcept { return size_; }
  template <typename T>
  T* as() const noexcept {
    return static_cast<T*>(data_);
  }

 private:
  void release() noexcept;

  void* data_ = nullptr;
  size_t size_ = 0;
  Kind kind_ = Kind::kDevice;
  uint32_t device_ = 0;
};

// Cuts one buffer into arrays. First everything that is wanted is counted, then handed out.
class Cutter {
 public:
  static constexpr size_t kAlignment = 256;
  explicit Cutter(void* base = nullptr) : base_(static_cast<std::byte*>(base)) {}

  // The next `count` elements; null while counting (base null).
  template <typename T>
  T* take(size_t count) {
    const size_t at = used_;
    used_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + at);
  }
  size_t used() const noexcept { return used_; }

 private:
  std::byte* base_;
  size_t used_ = 0;
};

}  // namespace engram::cuda
