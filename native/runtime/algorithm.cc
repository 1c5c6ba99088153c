#include "runtime/algorithm.h"

#include <atomic>
#include <utility>

#include "runtime/thread_start.h"

namespace engram::runtime {
namespace {

constexpr unsigned kThreadNumber = 2000;  // after those of the pool and of files in the threads' names

class AlgorithmTicket final : public Ticket {
 public:
  explicit AlgorithmTicket(std::function<void()> on_cancel) : on_cancel_(std::move(on_cancel)) {}

  void cancel() noexcept override {
    if (cancelled_.exchange(true) || !on_cancel_) return;
    try {
      on_cancel_();
    } catch (...) {  // the algorithm sees keep_going all the same
    }
  }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
  const std::function<void()> on_cancel_;
};

Status run_guarded(const Algorithm& algorithm, const Parallel& parallel) noexcept {
  try {
    return algorithm(parallel);
  } catch (...) {
    return status_of_current_exception();
  }
}

}  // namespace

Result<std::shared_ptr<Ticket>> run_algorithm(Algorithm algorithm, CallOptions options, Done done,
                                              std::function<void()> on_cancel) {
  const auto ticket = std::make_shared<AlgorithmTicket>(std::move(on_cancel));
  Parallel parallel{.priority = options.priority, .max_threads = options.max_threads, .keep_going = [ticket] {
                      return !ticket->cancelled();
                    }};
  const bool started =
      start_thread(kThreadNumber, [algorithm = std::move(algorithm), parallel = std::move(parallel), ticket,
                                   on_progress = std::move(options.on_progress), done = std::move(done)] {
        Status status = run_guarded(algorithm, parallel);
        if (ticket->cancelled()) status = {StatusCode::kAborted, "cancelled by the caller"};
        if (status.ok() && on_progress) on_progress(1, 1);
        done(status);
      });
  if (!started) {
    return Status(StatusCode::kOutOfMemory, "the system refused a thread for the computation");
  }
  return std::shared_ptr<Ticket>(ticket);
}

Status run_algorithm_sync(const Algorithm& algorithm, unsigned max_threads) {
  return run_guarded(algorithm, {.max_threads = max_threads, .keep_going = {}});
}

}  // namespace engram::runtime
