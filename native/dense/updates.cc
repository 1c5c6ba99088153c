#include "dense/updates.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace engram::dense {
namespace {

float max_change(const float* a, const float* b, size_t dim) {
  float largest = 0;
  for (size_t d = 0; d < dim; ++d) largest = std::max(largest, std::abs(a[d] - b[d]));
  return largest;
}

}  // namespace

void describe_softmax(engine::ScoreFold& pass, const ScoredMemory& memory, const Batch& batch, uint64_t count,
                      Similarity similarity, const float* scale, double* lse) {
  pass = memory.pass();
  pass.term = key_term(similarity);
  pass.queries = batch.queries;
  pass.query_count = count;
  pass.scale = scale;
  pass.fold = engine::Fold::kReadout;
  pass.lse = lse;
}

Updates::Updates(const Batch& batch, const RetrieveOptions& options, uint32_t steps, UpdateOutputs out)
    : batch_(batch), options_(options), steps_(steps), out_(out), memory_(batch.snapshot) {
  std::memcpy(out_.states, batch_.queries, batch_.count * batch_.snapshot->dim * sizeof(float));
  std::fill_n(out_.steps, batch_.count, 0U);
  std::fill_n(out_.converged, batch_.count, uint8_t{0});
}

Status Updates::begin() {
  Result<AlignedBuffer> buffer = AlignedBuffer::allocate(batch_.count * batch_.snapshot->dim * sizeof(float));
  if (!buffer.ok()) return buffer.status();
  updated_ = std::move(buffer).value();
  active_.resize(batch_.count);
  for (uint64_t i = 0; i < batch_.count; ++i) active_[i] = i;
  lse_.resize(batch_.count);
  scale_.assign(batch_.count, softmax_scale(options_.separation.beta));
  return {};
}

Result<bool> Updates::next(engine::ScoreFold& pass) {
  if (steps_ == 0) return false;
  if (taken_ == 0) {
    Status status = begin();
    if (!status.ok()) return status;
  } else {
    settle();
  }
  if (taken_ == steps_ || active_.empty()) return false;

  // The queries still moving lie side by side at the front of the batch's queries.
  const size_t dim = batch_.snapshot->dim;
  for (size_t a = 0; a < active_.size(); ++a) {
    std::memcpy(batch_.queries + a * dim, out_.states + active_[a] * dim, dim * sizeof(float));
  }
  prepare_queries(options_.similarity, batch_.queries, active_.size(), dim);
  describe_softmax(pass, memory_, batch_, active_.size(), options_.similarity, scale_.data(), lse_.data());
  pass.readout = updated_.as<float>();
  ++taken_;
  return true;
}

// Takes the new states over and lets the queries go that moved no further than the tolerance.
void Updates::settle() {
  const size_t dim = batch_.snapshot->dim;
  size_t kept = 0;
  for (size_t a = 0; a < active_.size(); ++a) {
    const uint64_t query = active_[a];
    float* state = out_.states + query * dim;
    const float* updated = updated_.as<float>() + a * dim;
    const bool settled = max_change(state, updated, dim) <= options_.tolerance;
    std::memcpy(state, updated, dim * sizeof(float));
    ++out_.steps[query];
    out_.converged[query] = settled ? 1 : 0;
    if (!settled) active_[kept++] = query;
  }
  active_.resize(kept);
}

}  // namespace engram::dense
