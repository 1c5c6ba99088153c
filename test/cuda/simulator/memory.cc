#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "block.h"
#include "defect.h"
#include "margins.h"

namespace engram::simulator {
namespace {

constexpr size_t kAlignment = 256;

size_t page() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

void allow(const Allocation& allocation, int protection) {
  mprotect(allocation.pages, allocation.page_bytes, protection);
}

const char* name(MemoryKind kind) {
  return kind == MemoryKind::kDevice ? "device memory" : "pinned host memory";
}

}  // namespace

Allocation* Memory::allocate(MemoryKind kind, uint32_t device, size_t bytes) {
  auto allocation = std::make_unique<Allocation>();
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const size_t page_bytes = (rounded + page() - 1) / page() * page();
  void* const pages =
      mmap(nullptr, page_bytes + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  allocation->pages = static_cast<std::byte*>(pages) + page();
  allocation->page_bytes = page_bytes;
  allocation->data = allocation->pages + page_bytes - rounded;
  allocation->bytes = bytes;
  allocation->kind = kind;
  allocation->device = device;
  allow(*allocation, PROT_READ | PROT_WRITE);
  std::memset(allocation->data, kPoison, bytes);
  close_margin(allocation->pages, allocation->data);
  close_margin(allocation->data + bytes, allocation->pages + page_bytes);
  if (kind == MemoryKind::kDevice && open_ == 0) allow(*allocation, PROT_NONE);
  Allocation* const made = allocation.get();
  allocations_.emplace(made->data, std::move(allocation));
  return made;
}

void Memory::release(void* data, MemoryKind kind) {
  const auto at = allocations_.find(static_cast<std::byte*>(data));
  if (at == allocations_.end() || at->second->kind != kind) {
    report_defect(std::string("what is freed is not ") + name(kind) + ", or was freed before");
  }
  Allocation& allocation = *at->second;
  const std::string size = std::to_string(allocation.bytes) + " bytes of " + name(kind);
  if (allocation.uses != 0) report_defect(size + " are freed while queued work uses them");
  allow(allocation, PROT_READ | PROT_WRITE);
  const bool before = margin_was_kept(allocation.pages, allocation.data);
  const bool behind =
      margin_was_kept(allocation.data + allocation.bytes, allocation.pages + allocation.page_bytes);
  forget(&allocation);
  if (!before || !behind) report_defect("something was written around " + size);
}

void Memory::forget(Allocation* allocation) {
  open_margin(allocation->pages, allocation->pages + allocation->page_bytes);
  munmap(allocation->pages - page(), allocation->page_bytes + 2 * page());
  allocations_.erase(allocation->data);
}

Allocation* Memory::find(const void* address) {
  auto after = allocations_.upper_bound(static_cast<const std::byte*>(address));
  if (after == allocations_.begin()) return nullptr;
  Allocation* const allocation = std::prev(after)->second.get();
  return address <= allocation->data + allocation->bytes ? allocation : nullptr;
}

const Allocation* Memory::near(const void* address) const {
  for (const auto& [data, allocation] : allocations_) {
    const std::byte* const first = allocation->pages - page();
    if (address >= first && address < first + allocation->page_bytes + 2 * page()) return allocation.get();
  }
  return nullptr;
}

std::vector<Allocation*> Memory::of_device(uint32_t device) {
  std::vector<Allocation*> found;
  for (const auto& [data, allocation] : allocations_) {
    if (allocation->kind == MemoryKind::kDevice && allocation->device == device)
      found.push_back(allocation.get());
  }
  return found;
}

uint64_t Memory::bytes_of_device(uint32_t device) const {
  uint64_t bytes = 0;
  for (const auto& [data, allocation] : allocations_) {
    if (allocation->kind == MemoryKind::kDevice && allocation->device == device) bytes += allocation->bytes;
  }
  return bytes;
}

uint64_t Memory::count(MemoryKind kind) const {
  uint64_t number = 0;
  for (const auto& [data, allocation] : allocations_) number += allocation->kind == kind ? 1 : 0;
  return number;
}

void Memory::open() {
  if (open_++ != 0) return;
  for (const auto& [data, allocation] : allocations_) {
    if (allocation->kind == MemoryKind::kDevice) allow(*allocation, PROT_READ | PROT_WRITE);
  }
}

void Memory::close() {
  if (--open_ != 0) return;
  for (const auto& [data, allocation] : allocations_) {
    if (allocation->kind == MemoryKind::kDevice) allow(*allocation, PROT_NONE);
  }
}

}  // namespace engram::simulator
