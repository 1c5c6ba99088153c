#include "runtime/pool.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "base/cpu.h"
#include "runtime/scheduler.h"

namespace engram::runtime {
namespace {

constexpr unsigned kMaxThreads = 1024;

unsigned default_threads() {
  const unsigned wanted = parse_thread_count(std::getenv("ENGRAM_THREADS"));
  return wanted != 0 ? wanted : std::min(cpu_facts().usable_threads, kMaxThreads);
}

}  // namespace

unsigned parse_thread_count(const char* text) noexcept {
  if (text == nullptr) return 0;
  unsigned count = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, count);
  const bool valid = error == std::errc() && stop == end && count >= 1 && count <= kMaxThreads;
  return valid ? count : 0;
}

Pool& Pool::instance() {
  static Pool* const kPool = [] {
    auto* const pool = new Pool(new Scheduler(default_threads()));  // both leaked, see pool.h
    ::pthread_atfork(nullptr, nullptr, forget_parent);
    return pool;
  }();
  return *kPool;
}

// No thread but the forking one lives in the child, and what the others held is held for ever.
void Pool::forget_parent() {
  Pool& pool = instance();
  pool.scheduler_ = new Scheduler(pool.scheduler_->threads());
}

unsigned Pool::threads() const noexcept { return scheduler_->threads(); }

Status Pool::configure(unsigned threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return {StatusCode::kRange,
            "threads is " + std::to_string(threads) + "; it must be 1 to " + std::to_string(kMaxThreads)};
  }
  scheduler_->resize(threads);
  return {};
}

void Pool::submit(std::shared_ptr<Job> job) {
  if (!scheduler_->queue(job)) {
    job->fail({StatusCode::kOutOfMemory, "the system refused memory or a thread for the job"});
    (void)job->conclude();
  }
}

Status Pool::run(std::shared_ptr<Job> job) {
  size_t strands = job->stopped() ? 0 : job->begin_guarded();
  while (strands > 0 && !job->stopped()) {
    if (strands == 1 || !scheduler_->work_together(job, strands)) {
      for (size_t strand = 0; strand < strands; ++strand) {
        while (!job->stopped() && !job->run_slice_guarded(strand)) {
        }
      }
    }
    strands = job->stopped() ? 0 : job->next_phase_guarded();
  }
  return job->conclude();
}

bool Pool::busy() const noexcept { return scheduler_->busy(); }

}  // namespace engram::runtime
