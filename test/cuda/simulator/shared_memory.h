// The shared memory of a block: as large as asked for, with nothing behind it.
#pragma once

#include <cstddef>

namespace engram::simulator {

class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // `bytes` of poison for a new block, beginning on 1024 bytes and ending less than 1024 before a guard page.
  void begin(size_t bytes);
  // A defect where the block wrote around its memory.
  void check() const;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* pages_;
  std::byte* end_;  // of the pages that may be used
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace engram::simulator
