// What can be asked of a dense memory. Node-free; the Node-API shell and the native tests call this.
//
// Every request copies its queries when it is made; outputs are written by pool threads until `done`
// has been called, and must stay valid until then. Requests on one memory that are alike (same
// operation and parameters, same snapshot) and still wait for a thread are answered in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "dense/memory.h"
#include "runtime/job.h"
#include "runtime/ticket.h"

namespace engram::dense {

// The separation function. Softmax is the first; sparse ones join here.
struct Separation {
  enum class Kind : uint8_t { kSoftmax };
  Kind kind = Kind::kSoftmax;
  float beta = 1;  // inverse temperature, > 0 and finite
  bool operator==(const Separation&) const = default;
};

struct RetrieveOptions {
  Separation separation;
  Similarity similarity = Similarity::kEuclidean;
  uint32_t steps = 1;   // most updates, >= 1
  float tolerance = 0;  // a query stops when its update's max-norm change is <= tolerance
  bool energy = true;   // false: energies are not computed (saves one scoring pass)
  bool operator==(const RetrieveOptions&) const = default;
};

// Caller-owned results of Q queries.
struct RetrieveOutputs {
  float* patterns = nullptr;     // Q x dim: final state
  float* values = nullptr;       // Q x value_dim for a hetero-associative memory, else null
  float* energy = nullptr;       // Q; null when energies are off
  uint32_t* steps = nullptr;     // Q: updates taken; the value readout of a hetero memory is the last
  uint8_t* converged = nullptr;  // Q: 1 when the last change of state was <= tolerance
};

struct SearchOutputs {
  uint32_t* indices = nullptr;  // Q x k, best first
  float* scores = nullptr;      // Q x k
};

// Compressed sparse rows, built by the job because their size is not known before.
struct AssociationOutputs {
  std::vector<uint32_t> offsets;  // Q + 1
  std::vector<uint32_t> indices;
  std::vector<float> weights;
};

using runtime::Done;
using runtime::Ticket;

// Each function checks what only the core can know (empty memory, sizes) and returns the failure at
// once, without calling `done`; else the request is under way. `queries` holds query_count x dim.
// Shared failures: kShape (empty memory or all items removed; counts beyond 2^32 - 1 items where
// results are 32-bit indices), kNonFinite (query, or a stored row met in the pass: message names it),
// kRange (scores overflow Float32), kOutOfMemory, kAborted.
Result<std::shared_ptr<Ticket>> retrieve(std::shared_ptr<Memory> memory, const float* queries,
                                         uint64_t query_count, const RetrieveOptions& options,
                                         RetrieveOutputs out, runtime::CallOptions call, Done done);
Status retrieve_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                     const RetrieveOptions& options, RetrieveOutputs out, unsigned max_threads = 0);

// Exact k nearest by similarity, best first, ties by lower index. 1 <= k <= live items (the caller
// cuts k). Scores: dot product; cosine; negative half squared distance.
Result<std::shared_ptr<Ticket>> search(std::shared_ptr<Memory> memory, const float* queries,
                                       uint64_t query_count, Similarity similarity, uint32_t k,
                                       SearchOutputs out, runtime::CallOptions call, Done done);
Status search_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                   Similarity similarity, uint32_t k, SearchOutputs out, unsigned max_threads = 0);

// Energies of the queries as they are (no update). energy: Q.
Result<std::shared_ptr<Ticket>> energy(std::shared_ptr<Memory> memory, const float* queries,
                                       uint64_t query_count, const RetrieveOptions& options, float* energy,
                                       runtime::CallOptions call, Done done);
Status energy_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                   const RetrieveOptions& options, float* energy, unsigned max_threads = 0);

// Association weights p over stored items after options.steps - 1 updates (steps = 1: at the query
// itself): the `top` largest, or with top = 0 every item whose weight is a normal Float32 number.
// Rows are sorted by falling weight. `out` must live until done.
Result<std::shared_ptr<Ticket>> association(std::shared_ptr<Memory> memory, const float* queries,
                                            uint64_t query_count, const RetrieveOptions& options,
                                            uint32_t top, std::shared_ptr<AssociationOutputs> out,
                                            runtime::CallOptions call, Done done);
Status association_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                        const RetrieveOptions& options, uint32_t top, AssociationOutputs& out,
                        unsigned max_threads = 0);

struct CalibrateOptions {
  Similarity similarity = Similarity::kEuclidean;
  uint32_t sample = 512;  // items looked at, cut to the live items
  float recall = 0.9F;    // in (0.5, 1)
  uint64_t seed = 0;      // of the sample
};
// Finds the calibration and keeps it with the memory (set_calibration). `out` must live until done.
// kRange when no item of the sample can reach `recall` (all are duplicates).
Result<std::shared_ptr<Ticket>> calibrate(std::shared_ptr<Memory> memory, const CalibrateOptions& options,
                                          std::shared_ptr<Calibration> out, runtime::CallOptions call,
                                          Done done);
Status calibrate_sync(std::shared_ptr<Memory> memory, const CalibrateOptions& options, Calibration& out,
                      unsigned max_threads = 0);

}  // namespace engram::dense
