#include "runtime/waiting_jobs.h"

#include <algorithm>
#include <new>
#include <utility>

#include "runtime/pool.h"

namespace engram::runtime {

void WaitingJobs::submit(std::shared_ptr<Job> job) noexcept {
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_of(*job).push_back(job);
    job->wait_in(*this);
  } catch (const std::bad_alloc&) {
    Pool::instance().submit(std::move(job));
    return;
  }
  const bool threads = threads_.run([this] { work(); }).ok();
  // Nobody would come, or it was cancelled before it was known to wait here.
  if (threads && !job->cancelled()) return;
  if (take_back(*job) != nullptr) Pool::instance().submit(std::move(job));
}

void WaitingJobs::let_go(const Job& job) noexcept {
  std::shared_ptr<Job> waited = take_back(job);
  if (waited != nullptr) Pool::instance().submit(std::move(waited));
}

std::shared_ptr<Job> WaitingJobs::take_back(const Job& job) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  Queue& queue = queue_of(job);
  const auto at = std::find_if(queue.begin(), queue.end(), [&job](const auto& j) { return j.get() == &job; });
  if (at == queue.end()) return nullptr;
  std::shared_ptr<Job> waited = std::move(*at);
  queue.erase(at);
  return waited;
}

void WaitingJobs::work() {
  for (std::shared_ptr<Job> job = next(); job != nullptr; job = next()) {
    (void)Pool::instance().run(job);
    ended(*job);
  }
}

std::shared_ptr<Job> WaitingJobs::next() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Queue& queue : queues_) {
    if (queue.empty()) continue;
    const bool is_batch = queue.front()->options().priority == Priority::kBatch;
    if (is_batch && batch_running_ + 1 >= most_) continue;
    std::shared_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    if (is_batch) ++batch_running_;
    return job;
  }
  return nullptr;
}

void WaitingJobs::ended(const Job& job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (job.options().priority == Priority::kBatch) --batch_running_;
}

}  // namespace engram::runtime
