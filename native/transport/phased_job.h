// How transport runs on the pool: a program of phases, each a list of items that are solved independently.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "engine/backend.h"
#include "runtime/job.h"
#include "runtime/ticket.h"
#include "transport/cross_solver.h"
#include "transport/self_solver.h"

namespace engram::transport {

// What solving one item needs; reused from item to item, since its buffers are what costs.
struct Workspace {
  CrossSolver cross;
  SelfSolver self;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> potential;
  std::function<bool()> keep_going;  // false once the request is cancelled: for what takes long in one go
};

class Phase {
 public:
  virtual ~Phase() = default;
  virtual size_t items() const = 0;
  // Works on an item for a while, with the workspace it began with (`fresh`: this is the beginning), and
  // takes what it has done off `entries` (see CrossSolver::advance). True when the item is done. Items may be
  // worked on at the same time and in any order: what one does must not depend on another's being done.
  virtual Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) = 0;
  // Units of progress that an item is worth.
  virtual uint64_t units_per_item() const { return 1; }
};

class Program {
 public:
  virtual ~Program() = default;
  // The next phase, which lives until the next call; null when the answer is complete.
  virtual Result<Phase*> next() = 0;
  // Units of progress of all phases, at most.
  virtual uint64_t total_units() const = 0;
};

// Runs the program where the backend runs its jobs; `done` may be empty.
std::shared_ptr<runtime::Ticket> submit(std::unique_ptr<Program> program, const engine::Backend& backend,
                                        runtime::CallOptions call, runtime::Done done);
// Runs it with the calling thread taking part.
Status run(std::unique_ptr<Program> program, unsigned max_threads);

}  // namespace engram::transport
