#include "shared_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "block.h"
#include "defect.h"
#include "margins.h"

namespace engram::simulator {
namespace {

constexpr size_t kAlignment = 1024;
constexpr size_t kMostBytes = size_t{256} << 10;
constexpr size_t kGuardBytes = size_t{64} << 10;  // at least a page, on every system

}  // namespace

SharedMemory::SharedMemory() {
  void* const pages = mmap(nullptr, kGuardBytes + kMostBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  pages_ = static_cast<std::byte*>(pages);
  end_ = pages_ + kGuardBytes + kMostBytes;
  mprotect(pages_, kGuardBytes, PROT_NONE);
  mprotect(end_, kGuardBytes, PROT_NONE);
}

SharedMemory::~SharedMemory() {
  open_margin(pages_ + kGuardBytes, end_);
  munmap(pages_, kGuardBytes + kMostBytes + kGuardBytes);
}

void SharedMemory::begin(size_t bytes) {
  if (bytes > kMostBytes - kAlignment) report_defect("more shared memory than any device has");
  size_ = bytes;
  data_ = end_ - (bytes + kAlignment - 1) / kAlignment * kAlignment;
  open_margin(data_ - kAlignment, end_);
  std::memset(data_, kPoison, size_);
  close_margin(data_ - kAlignment, data_);
  close_margin(data_ + size_, end_);
}

void SharedMemory::check() const {
  if (!margin_was_kept(data_ - kAlignment, data_)) report_defect("a block wrote before its shared memory");
  if (!margin_was_kept(data_ + size_, end_)) report_defect("a block wrote behind its shared memory");
}

}  // namespace engram::simulator
