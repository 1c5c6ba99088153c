// Sequential algorithms as calls.
#pragma once

#include <functional>
#include <memory>

#include "base/status.h"
#include "runtime/job.h"
#include "runtime/parallel.h"
#include "runtime/ticket.h"

namespace engram::runtime {

// An algorithm that goes from step to step and uses the pool inside the steps (parallel.h).
using Algorithm = std::function<Status(const Parallel& parallel)>;

// Runs it on a thread of its own, which may wait for whatever it likes: it is neither the pool's nor one that
// others wait for. Once the ticket was cancelled keep_going of `parallel` is false; `on_cancel` (may be
// empty) is then called, once, by whoever cancels, so that the algorithm's own waits can be ended. `done` is
// called exactly once, last, with kAborted if the algorithm failed or ended after the ticket was cancelled.
// kOutOfMemory when the system refuses a thread; `done` is not called then.
Result<std::shared_ptr<Ticket>> run_algorithm(Algorithm algorithm, CallOptions options, Done done,
                                              std::function<void()> on_cancel = {});

// Runs it on the calling thread. max_threads as in CallOptions.
Status run_algorithm_sync(const Algorithm& algorithm, unsigned max_threads);

}  // namespace engram::runtime
