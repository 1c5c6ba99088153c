// Copying host memory on several threads, as the engine does for its uploads.
#pragma once

#include <cstdint>

namespace engram::device_test {

// An EngramCopy. Its threads are started by the first call and wait between calls.
void copy_by_threads(void* to, const void* from, uint64_t bytes);

}  // namespace engram::device_test
