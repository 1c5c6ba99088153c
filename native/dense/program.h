// A program: the chain of engine passes that answers one batch of queries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "dense/memory.h"
#include "engine/score_fold.h"

namespace engram::dense {

// One output array: `data` holds bytes_per_query for each query. data may be null (not wanted).
struct Column {
  void* data = nullptr;
  size_t bytes_per_query = 0;
};

// Queries answered together. The program may overwrite them.
struct Batch {
  std::shared_ptr<const Snapshot> snapshot;
  float* queries = nullptr;  // count x dim
  uint64_t count = 0;
  std::vector<Column> columns;  // outputs; their meaning is the operation's
};

class Program {
 public:
  virtual ~Program() = default;
  // Describes the next pass in `pass`, or returns false when the answer is complete. Called first to
  // begin, then after each pass has ended. What `pass` points to stays valid until the next call.
  virtual Result<bool> next(engine::ScoreFold& pass) = 0;
  // Most scores (queries x items) that all passes may compute; the measure of progress.
  virtual uint64_t total_work() const = 0;
};

// What is asked, apart from the queries. Requests with the same operation can share a batch.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual bool same(const Operation& other) const = 0;
  virtual std::unique_ptr<Program> start(Batch batch) const = 0;
};

}  // namespace engram::dense
