#include "transport/phased_job.h"

#include <algorithm>
#include <utility>

#include "runtime/pool.h"

namespace engram::transport {
namespace {

constexpr size_t kSliceEntries = 400'000;  // about 1 ms
constexpr size_t kMostStrands = 256;

class PhasedJob final : public runtime::Job {
 public:
  PhasedJob(std::unique_ptr<Program> program, runtime::CallOptions call, runtime::Done done)
      : Job(std::move(call)), program_(std::move(program)), done_(std::move(done)) {}

  size_t begin() override {
    set_total(program_->total_units());
    return next_phase();
  }

  size_t next_phase() override {
    Result<Phase*> next = program_->next();
    if (!next.ok()) {
      fail(next.status());
      return 0;
    }
    phase_ = next.value();
    strands_.clear();
    if (phase_ == nullptr) return 0;
    // Where the ranges end depends on the number of items alone; what they compute does not even on that.
    const size_t items = phase_->items();
    const size_t count = std::min(items, kMostStrands);
    for (size_t s = 0; s < count; ++s)
      strands_.push_back({items * s / count, items * (s + 1) / count, false, nullptr});
    return count == 0 ? next_phase() : count;
  }

  bool run_slice(size_t index) override {
    Strand& strand = strands_[index];
    if (strand.workspace == nullptr) strand.workspace = take_workspace();
    size_t entries = kSliceEntries;
    while (strand.item < strand.end && entries > 0) {
      const bool fresh = !std::exchange(strand.busy, true);
      Result<bool> done = phase_->work(strand.item, *strand.workspace, fresh, entries);
      if (!done.ok()) {
        fail(done.status());
        return true;
      }
      if (!done.value()) continue;
      strand.busy = false;
      ++strand.item;
      add_done(phase_->units_per_item());
    }
    if (!strand.busy) give_back(std::move(strand.workspace));
    return strand.item == strand.end;
  }

  void finish(const Status& status) override {
    program_.reset();
    strands_.clear();
    workspaces_.clear();
    if (done_) done_(status);
  }

 private:
  struct Strand {
    size_t item;
    size_t end;
    bool busy = false;                     // an item is under way
    std::unique_ptr<Workspace> workspace;  // kept from slice to slice while busy
  };

  std::unique_ptr<Workspace> take_workspace() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (workspaces_.empty()) {
      auto workspace = std::make_unique<Workspace>();
      workspace->keep_going = [this] { return !cancelled(); };
      return workspace;
    }
    std::unique_ptr<Workspace> workspace = std::move(workspaces_.back());
    workspaces_.pop_back();
    return workspace;
  }

  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard<std::mutex> lock(mutex_);
    workspaces_.push_back(std::move(workspace));
  }

  std::unique_ptr<Program> program_;
  const runtime::Done done_;
  Phase* phase_ = nullptr;
  std::vector<Strand> strands_;
  std::mutex mutex_;  // guards workspaces_
  std::vector<std::unique_ptr<Workspace>> workspaces_;
};

class JobTicket final : public runtime::Ticket {
 public:
  explicit JobTicket(const std::shared_ptr<runtime::Job>& job) : job_(job) {}
  void cancel() noexcept override {
    if (const std::shared_ptr<runtime::Job> job = job_.lock()) job->cancel();
  }

 private:
  std::weak_ptr<runtime::Job> job_;
};

}  // namespace

std::shared_ptr<runtime::Ticket> submit(std::unique_ptr<Program> program, const engine::Backend& backend,
                                        runtime::CallOptions call, runtime::Done done) {
  auto job = std::make_shared<PhasedJob>(std::move(program), std::move(call), std::move(done));
  auto ticket = std::make_shared<JobTicket>(job);
  backend.submit(std::move(job));
  return ticket;
}

Status run(std::unique_ptr<Program> program, unsigned max_threads) {
  runtime::CallOptions call;
  call.max_threads = max_threads;
  return runtime::Pool::instance().run(
      std::make_shared<PhasedJob>(std::move(program), std::move(call), nullptr));
}

}  // namespace engram::transport
