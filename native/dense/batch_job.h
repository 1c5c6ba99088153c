// Requests on their way through the pool, alone or together.
//
// An asynchronous request that waits for a thread is joined by later ones that ask the same operation of
// the same snapshot: one pass then answers them all (an idle pool starts at once, so nothing waits for
// company). If a joint pass fails, each request is run again alone, so that one caller's bad data is
// that caller's error only.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/memory.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "runtime/job.h"

namespace engram::dense {

// One caller's part.
struct Request final : Ticket {
  AlignedBuffer queries;  // count x dim, the request's own copy
  uint64_t count = 0;
  std::vector<Column> columns;
  runtime::CallOptions call;
  Done done;
  std::atomic<bool> cancelled{false};
  std::weak_ptr<runtime::Job> job;  // the job it takes part in; guarded by the list of open batches

  void cancel() noexcept override;
};

// Copies and checks the queries and takes the snapshot: kShape for an empty memory, kNonFinite naming
// query and position, kOutOfMemory.
struct Prepared {
  std::shared_ptr<Request> request;
  std::shared_ptr<const Snapshot> snapshot;
};
Result<Prepared> prepare(const Memory& memory, const float* queries, uint64_t count,
                         std::vector<Column> columns);

// Runs the request on the pool, joined with others like it where `may_join`.
std::shared_ptr<Ticket> submit(Prepared prepared, std::shared_ptr<const Operation> operation,
                               runtime::CallOptions call, Done done, bool may_join);
// Runs the request with the calling thread taking part.
Status run(Prepared prepared, std::shared_ptr<const Operation> operation, unsigned max_threads);

}  // namespace engram::dense
