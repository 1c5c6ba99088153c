// Threads for work that waits for files.
#pragma once

#include <functional>

#include "base/status.h"

namespace engram::runtime {

// Runs `work` on a thread of its own kind, so that a slow disk never holds a thread of the compute pool. At
// most four pieces of work run at the same time, further ones wait in line. The threads end when there
// is nothing left to do. kOutOfMemory when the system refuses even one thread; `work` is dropped then.
Status run_on_file_thread(std::function<void()> work);

}  // namespace engram::runtime
