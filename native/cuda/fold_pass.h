// One score-and-fold on its way through a lane.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/combine.h"
#include "cuda/fold_plan.h"
#include "cuda/lane.h"
#include "cuda/resident_rows.h"
#include "engine/device_table.h"

namespace engram::cuda {

// For each batch of queries: bring them in, fold slice after slice, bring the answers out. The device always
// has one slice waiting while it works on another.
class FoldPass {
 public:
  // Everything the fold needs on the device is allocated here, but for room for unusually many hits.
  // kOutOfMemory, kDevice, kRange (a query too large for rows of 16-bit floats).
  static Result<std::unique_ptr<FoldPass>> begin(Lane& lane, const EngramFold& fold);
  // Waits for what is under way.
  ~FoldPass();

  // Starts the next slice and waits for the one before; *ended after the last answer is out. `work`: scores.
  // kNonFinite where a row that is not removed cannot be scored, kRange where scores may leave Float32.
  Status step(bool& ended, uint64_t& work);

 private:
  // What the device holds for a batch; which arrays there are follows from the fold.
  struct Arrays {
    float* packed = nullptr;  // queries as they come
    float* queries = nullptr;
    float* scale = nullptr;
    uint64_t* removed = nullptr;
    IntakeFacts* facts = nullptr;   // of rows that pass through
    float* largest_norm = nullptr;  // of rows that are not removed
    RowArrays passing;              // rows that pass through
    std::byte* hopper = nullptr;
    SoftmaxState softmax;
    SoftmaxPartials softmax_partials;
    Ranked* top = nullptr;
    Ranked* top_partials = nullptr;
    float* floor = nullptr;
    float* threshold = nullptr;
    unsigned long long* found = nullptr;
  };

  FoldPass(Lane& lane, const EngramFold& fold);
  Status prepare();
  Arrays cut(Cutter& cutter) const;
  Status begin_batch();
  Status end_batch();
  Status bring_in(const Slice& slice, Rows& rows);
  Rows shaped(const Slice& slice) const;
  Status fold_slice(const Rows& rows);
  cudaError_t fold_softmax(const Rows& rows, Path path, const Queries& queries, uint32_t first,
                           uint32_t splits);
  cudaError_t fold_top(const Rows& rows, Path path, const Queries& queries, uint32_t first, uint32_t splits);
  Status fold_hits(const Rows& rows, Path path, const Queries& queries, uint32_t first, uint32_t splits);
  Status make_room_for_hits(uint64_t count);
  Status write_softmax();
  Status write_top();
  void write_hits();
  Status check_range() const;
  Status note_norms();
  cudaError_t wait_for_work();
  uint32_t splits_of(const Rows& rows, Path path, uint32_t queries) const;

  uint32_t dim() const noexcept { return fold_.dim; }
  uint32_t width() const noexcept { return width_; }
  cudaStream_t stream() const noexcept { return lane_.stream().get(); }
  Transfer& transfer() const noexcept { return lane_.transfer(); }

  Lane& lane_;
  const EngramFold fold_;
  const uint32_t width_;        // of the readout; 0 without one
  const RowShape passing_;      // of rows that pass through: without values where none are read out
  const uint32_t query_pitch_;  // elements
  const bool softmax_;
  uint32_t most_queries_ = 0;  // of a batch
  std::vector<Slice> slices_;
  uint64_t most_passing_ = 0;   // rows of the largest slice that passes through
  uint64_t most_partials_ = 0;  // splits x queries of the largest launch
  size_t hopper_bytes_ = 0;
  Arrays arrays_;
  Buffer hit_buffer_;

  uint64_t batch_first_ = 0;
  uint32_t batch_count_ = 0;
  size_t next_slice_ = 0;
  std::array<Event, 2> slice_ends_;
  Event work_end_;  // of what is queued
  std::vector<std::vector<EngramCandidate>> hits_;
  float live_square_ = 0;  // largest |x|^2 of rows that are not removed
  float met_square_ = 0;   // of all rows that kernels multiply
};

}  // namespace engram::cuda
