#include "margins.h"

#include <algorithm>

#include "block.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes) (static_cast<void>(data), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) (static_cast<void>(data), static_cast<void>(bytes))
#endif

namespace engram::simulator {

void close_margin(std::byte* from, std::byte* to) {
  std::fill(from, to, std::byte{kPoison});
  ASAN_POISON_MEMORY_REGION(from, static_cast<size_t>(to - from));
}

void open_margin(std::byte* from, std::byte* to) {
  ASAN_UNPOISON_MEMORY_REGION(from, static_cast<size_t>(to - from));
}

bool margin_was_kept(std::byte* from, std::byte* to) {
  open_margin(from, to);
  return std::all_of(from, to, [](std::byte b) { return b == std::byte{kPoison}; });
}

}  // namespace engram::simulator
