// Where a score-and-fold runs: the table of backends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/pair_solver.h"
#include "engine/score_fold.h"
#include "runtime/job.h"

namespace engram::engine {

// One planned score-and-fold. A job runs it in two phases: all strands (each a chain of slices of about
// 1 ms), then all merges; strands, merges and the arithmetic in them depend on the operation alone,
// never on the number of threads.
class Pass {
 public:
  virtual ~Pass() = default;
  virtual size_t strands() const = 0;
  struct Slice {
    bool ended = false;  // the strand has no further slice
    uint64_t work = 0;   // scores computed: rows x queries
    Status status;       // a failure ends the pass
  };
  virtual Slice run_slice(size_t strand) = 0;
  virtual size_t merges() const = 0;
  virtual Status merge(size_t index) = 0;
};

struct DeviceFacts {
  std::string id;  // "cpu", "cuda:0"
  std::string name;
  bool available = false;
  std::string reason;  // why it is not available
  uint64_t memory_bytes = 0;
  std::string instruction_set;  // CPU: the one in use; devices: "sm_<compute capability>"
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceFacts facts() const = 0;
  // Plans the operation; the pointers in `operation` must stay valid while the pass lives. kOutOfMemory.
  virtual Result<std::unique_ptr<Pass>> plan(const ScoreFold& operation) const = 0;
  // How far the scores of a pass of so many queries may be off because rows and queries are rounded; none
  // where they have the accuracy of Float32, as on the CPU.
  virtual Rounding rounding(const DeviceOptions& /*options*/, uint64_t /*queries*/) const { return {}; }
  // Runs a job whose passes are this backend's: on the pool, or on threads that may wait for a device. The
  // job is finished with kOutOfMemory where neither can be had.
  virtual void submit(std::shared_ptr<runtime::Job> job) const = 0;
  // Room for rows on the device. Null on the CPU, which reads them where they lie, and where the memory is
  // larger than the device: then they pass through it in every pass. kOutOfMemory where others hold the room.
  virtual Result<std::shared_ptr<Resident>> reserve(const ResidentLayout& layout) const = 0;
  // A solver of transport problems with these clouds, whose arrays must outlive it and stay as they are. Null
  // on the CPU, whose algorithms solve their problems themselves. kOutOfMemory where others hold the room.
  virtual Result<std::shared_ptr<const PairSolver>> pair_solver(const CloudSet& clouds) const = 0;
};

// Every device this build knows of, available or not; the CPU is first.
std::vector<DeviceFacts> devices();

// "auto" gives the first device that is available, else the CPU. kDevice, with the reason, for a device that
// is known but not available; kRange for a name that means nothing.
Result<const Backend*> find_backend(const std::string& device);

}  // namespace engram::engine
