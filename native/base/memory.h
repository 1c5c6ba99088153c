// Memory that kernels read: aligned arenas and mapped files.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"

namespace engram {

inline constexpr size_t kAlignment = 64;  // one cache line, one AVX-512 vector

// Owned, zero-filled, kAlignment-aligned bytes. Blocks of 2 MiB and more ask for huge pages.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // kOutOfMemory when the system refuses; bytes == 0 gives an empty buffer.
  static Result<AlignedBuffer> allocate(size_t bytes);

  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  template <typename T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file mapped read-only. The mapping outlives the file's name: replacing or unlinking the file
// leaves it valid. Truncating the file in place by another process is outside what can be guarded.
class MappedFile {
 public:
  // kIo with errno when the file cannot be opened or mapped, kFormat when it is not a regular file.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_;
  size_t size_;
};

// Asks the system to back [data, data + bytes) with huge pages; a hint, never an error.
void prefer_huge_pages(const void* data, size_t bytes) noexcept;

}  // namespace engram
