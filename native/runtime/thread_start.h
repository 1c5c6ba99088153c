// Starts the pool's threads.
#pragma once

#include <functional>

namespace engram::runtime {

// Runs `body` on a new detached thread named "engram-<number>". The thread receives no signals: those are
// for the threads of the host program. False when the system refuses a thread.
bool start_thread(unsigned number, std::function<void()> body) noexcept;

}  // namespace engram::runtime
