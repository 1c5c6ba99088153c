#include "dense/batch_job.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <utility>

#include "engine/backend.h"
#include "engine/finite.h"
#include "runtime/pool.h"

namespace engram::dense {
namespace {

constexpr uint64_t kMaxJointQueries = 1024;

class BatchJob;

// Batches that no thread has begun: later requests may still join them.
class OpenBatches {
 public:
  static OpenBatches& instance() {
    static OpenBatches* const kInstance = new OpenBatches();  // leaked: pool threads outlive destructors
    return *kInstance;
  }
  // Adds the request to an open batch like it; false when there is none.
  bool join(const std::shared_ptr<Request>& request, const Snapshot* snapshot, const Operation& operation);
  // Makes the request part of `batch`, which others may join when `joinable`.
  void enter(const std::shared_ptr<Request>& request, const std::shared_ptr<BatchJob>& batch, bool joinable);
  void close(const BatchJob* batch);
  // The requests of a batch that has ended: it is nobody's any more.
  std::vector<std::shared_ptr<Request>> release(BatchJob& batch);
  // Cancels the request's batch if nobody wants its answer any more.
  void cancel(Request& request);

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<BatchJob>> open_;
};

class BatchJob final : public runtime::Job {
 public:
  BatchJob(std::shared_ptr<const Snapshot> snapshot, std::shared_ptr<const Operation> operation,
           const std::shared_ptr<Request>& first, bool joinable)
      : Job(first->call),
        snapshot_(std::move(snapshot)),
        operation_(std::move(operation)),
        joinable_(joinable),
        queries_(first->count) {
    requests_.push_back(first);
  }

  bool accepts(const Request& request, const Snapshot* snapshot, const Operation& operation) const {
    return !cancelled() && snapshot == snapshot_.get() && queries_ + request.count <= kMaxJointQueries &&
           request.call.priority == options().priority && request.call.max_threads == options().max_threads &&
           operation.same(*operation_);
  }
  void add(const std::shared_ptr<Request>& request) {
    requests_.push_back(request);
    queries_ += request->count;
  }
  std::vector<std::shared_ptr<Request>> take_requests() { return std::exchange(requests_, {}); }
  // The job serves all its requests: it is cancelled when every one of them is.
  void cancel_if_unwanted() {
    if (requests_.empty()) return;  // it has ended
    if (std::all_of(requests_.begin(), requests_.end(),
                    [](const auto& request) { return request->cancelled.load(); })) {
      cancel();
    }
  }

  size_t begin() override {
    if (joinable_) OpenBatches::instance().close(this);
    Result<Batch> batch = gather();
    if (!batch.ok()) {
      fail(batch.status());
      return 0;
    }
    program_ = operation_->start(std::move(batch).value());
    set_total(program_->total_work());
    return next_pass();
  }

  bool run_slice(size_t strand) override {
    if (merging_) {
      Status status = pass_->merge(strand);
      if (!status.ok()) fail(std::move(status));
      return true;
    }
    engine::Pass::Slice slice = pass_->run_slice(strand);
    if (slice.work != 0) add_done(slice.work);
    if (!slice.status.ok()) fail(std::move(slice.status));
    return slice.ended;
  }

  size_t next_phase() override {
    if (!merging_ && pass_->merges() > 0) {
      merging_ = true;
      return pass_->merges();
    }
    return next_pass();
  }

  // Who is told of the end may dispose of the memory and count on the room that it had on a device: the job
  // lets go of it first.
  void finish(const Status& status) override {
    program_.reset();
    pass_.reset();
    if (status.ok()) scatter();
    const std::vector<std::shared_ptr<Request>> requests = OpenBatches::instance().release(*this);
    std::shared_ptr<const Snapshot> snapshot = std::move(snapshot_);
    if (requests.size() > 1 && !status.ok() && !cancelled()) {
      retry_alone(requests, std::move(snapshot));
      return;
    }
    snapshot.reset();
    for (const std::shared_ptr<Request>& request : requests) {
      const bool aborted = request->cancelled.load();
      if (request->done) request->done(aborted ? aborted_status() : status);
    }
  }

 private:
  static Status aborted_status() { return {StatusCode::kAborted, "the request was cancelled"}; }

  // One request is answered in place; several are laid side by side.
  Result<Batch> gather() {
    Batch batch{.snapshot = snapshot_, .queries = nullptr, .count = queries_, .columns = {}};
    if (requests_.size() == 1) {
      batch.queries = requests_.front()->queries.as<float>();
      batch.columns = requests_.front()->columns;
      return batch;
    }
    const size_t row_bytes = snapshot_->dim * sizeof(float);
    size_t bytes = queries_ * row_bytes;
    for (const Column& column : requests_.front()->columns) bytes += padded(column) * queries_;
    Result<AlignedBuffer> buffer = AlignedBuffer::allocate(bytes);
    if (!buffer.ok()) return buffer.status();
    joint_ = std::move(buffer).value();

    std::byte* at = joint_.data();
    batch.queries = joint_.as<float>();
    for (const std::shared_ptr<Request>& request : requests_) {
      std::memcpy(at, request->queries.data(), request->count * row_bytes);
      at += request->count * row_bytes;
    }
    for (const Column& column : requests_.front()->columns) {
      batch.columns.push_back({column.data == nullptr ? nullptr : at, column.bytes_per_query});
      at += padded(column) * queries_;
    }
    columns_ = batch.columns;
    return batch;
  }

  // Columns of single bytes must not misalign those that follow.
  static size_t padded(const Column& column) {
    return column.data == nullptr ? 0 : (column.bytes_per_query + 7) / 8 * 8;
  }

  void scatter() {
    if (requests_.size() == 1) return;
    uint64_t first = 0;
    for (const std::shared_ptr<Request>& request : requests_) {
      for (size_t c = 0; c < columns_.size(); ++c) {
        const Column& from = columns_[c];
        if (from.data == nullptr) continue;
        std::memcpy(request->columns[c].data,
                    static_cast<const std::byte*>(from.data) + first * from.bytes_per_query,
                    request->count * from.bytes_per_query);
      }
      first += request->count;
    }
  }

  void retry_alone(const std::vector<std::shared_ptr<Request>>& requests,
                   std::shared_ptr<const Snapshot> snapshot);

  size_t next_pass() {
    merging_ = false;
    pass_.reset();
    engine::ScoreFold operation;
    Result<bool> more = program_->next(operation);
    if (!more.ok()) {
      fail(more.status());
      return 0;
    }
    if (!more.value()) return 0;
    Result<std::unique_ptr<engine::Pass>> pass = snapshot_->placement.backend->plan(operation);
    if (!pass.ok()) {
      fail(pass.status());
      return 0;
    }
    pass_ = std::move(pass).value();
    return pass_->strands();
  }

  std::shared_ptr<const Snapshot> snapshot_;  // null once the job has ended
  const std::shared_ptr<const Operation> operation_;
  const bool joinable_;
  uint64_t queries_;
  std::vector<std::shared_ptr<Request>> requests_;  // changed under the mutex of OpenBatches
  AlignedBuffer joint_;                             // queries and outputs of several requests
  std::vector<Column> columns_;                     // outputs inside joint_
  std::unique_ptr<Program> program_;
  std::unique_ptr<engine::Pass> pass_;
  bool merging_ = false;
};

bool OpenBatches::join(const std::shared_ptr<Request>& request, const Snapshot* snapshot,
                       const Operation& operation) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const std::shared_ptr<BatchJob>& batch : open_) {
    if (!batch->accepts(*request, snapshot, operation)) continue;
    batch->add(request);
    request->job = batch;
    return true;
  }
  return false;
}

void OpenBatches::enter(const std::shared_ptr<Request>& request, const std::shared_ptr<BatchJob>& batch,
                        bool joinable) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (joinable) open_.push_back(batch);
  request->job = batch;
  if (request->cancelled.load()) batch->cancel();  // between two attempts at it
}

void OpenBatches::cancel(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  request.cancelled.store(true);
  const std::shared_ptr<runtime::Job> job = request.job.lock();
  if (job != nullptr) static_cast<BatchJob&>(*job).cancel_if_unwanted();
}

void OpenBatches::close(const BatchJob* batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(open_, [batch](const auto& open) { return open.get() == batch; });
}

std::vector<std::shared_ptr<Request>> OpenBatches::release(BatchJob& batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(open_, [&batch](const auto& open) { return open.get() == &batch; });
  return batch.take_requests();
}

// Puts the request on its way. Where memory for that is refused it ends at once, and with it those that have
// joined it meanwhile: an exception would leave a batch behind that is open for ever.
void start(const std::shared_ptr<Request>& request, std::shared_ptr<const Snapshot> snapshot,
           std::shared_ptr<const Operation> operation, bool may_join) {
  std::shared_ptr<BatchJob> job;
  bool entered = false;
  try {
    // Progress is the caller's own: a request that reports it does not share a pass.
    const bool joinable = may_join && !request->call.on_progress;
    if (joinable && OpenBatches::instance().join(request, snapshot.get(), *operation)) return;
    const engine::Backend& backend = *snapshot->placement.backend;
    job = std::make_shared<BatchJob>(std::move(snapshot), std::move(operation), request, joinable);
    OpenBatches::instance().enter(request, job, joinable);
    entered = true;
    backend.submit(job);
  } catch (...) {
    const Status status = runtime::status_of_current_exception();
    if (entered) {
      job->finish(status);
    } else if (request->done) {
      request->done(status);
    }
  }
}

// The last one takes the snapshot with it: it may be all that is waited for.
void BatchJob::retry_alone(const std::vector<std::shared_ptr<Request>>& requests,
                           std::shared_ptr<const Snapshot> snapshot) {
  size_t last = requests.size();
  for (size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i]->cancelled.load()) last = i;
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    if (i == last) {
      start(requests[i], std::move(snapshot), operation_, /*may_join=*/false);
    } else if (!requests[i]->cancelled.load()) {
      start(requests[i], snapshot, operation_, /*may_join=*/false);
    } else if (requests[i]->done) {
      requests[i]->done(aborted_status());
    }
  }
}

Status explain_query(const float* queries, uint64_t count, size_t dim) {
  for (uint64_t i = 0; i < count; ++i) {
    for (size_t d = 0; d < dim; ++d) {
      const float q = queries[i * dim + d];
      if (std::isfinite(q)) continue;
      return {StatusCode::kNonFinite, "query " + std::to_string(i) + " has " + std::to_string(q) +
                                          " at position " + std::to_string(d) +
                                          "; every element must be finite"};
    }
  }
  return {};
}

}  // namespace

void Request::cancel() noexcept { OpenBatches::instance().cancel(*this); }

Result<Prepared> prepare(const Memory& memory, const float* queries, uint64_t count,
                         std::vector<Column> columns) {
  Prepared prepared;
  prepared.snapshot = memory.snapshot();
  if (prepared.snapshot->live == 0) {
    return Status(StatusCode::kShape, "the memory holds no items; store some first");
  }
  if (count == 0) return Status(StatusCode::kShape, "there are 0 queries; at least one is needed");
  const size_t elements = count * memory.dim();
  prepared.request = std::make_shared<Request>();
  Result<AlignedBuffer> copy = AlignedBuffer::allocate(elements * sizeof(float));
  if (!copy.ok()) return copy.status();
  prepared.request->queries = std::move(copy).value();
  std::memcpy(prepared.request->queries.data(), queries, elements * sizeof(float));
  // The copy is checked, not the original: a shared buffer may be written meanwhile.
  if (!engine::all_finite(prepared.request->queries.as<float>(), elements)) {
    return explain_query(prepared.request->queries.as<float>(), count, memory.dim());
  }
  prepared.request->count = count;
  prepared.request->columns = std::move(columns);
  return prepared;
}

std::shared_ptr<Ticket> submit(Prepared prepared, std::shared_ptr<const Operation> operation,
                               runtime::CallOptions call, Done done, bool may_join) {
  prepared.request->call = std::move(call);
  prepared.request->done = std::move(done);
  start(prepared.request, std::move(prepared.snapshot), std::move(operation), may_join);
  return prepared.request;
}

Status run(Prepared prepared, std::shared_ptr<const Operation> operation, unsigned max_threads) {
  prepared.request->call.max_threads = max_threads;
  return runtime::Pool::instance().run(std::make_shared<BatchJob>(
      std::move(prepared.snapshot), std::move(operation), prepared.request, /*joinable=*/false));
}

}  // namespace engram::dense
