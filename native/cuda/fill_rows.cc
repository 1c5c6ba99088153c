#include "cuda/fill_rows.h"

#include <string>

#include "cuda/check.h"
#include "cuda/devices.h"

namespace engram::cuda {

Status facts_status(const IntakeFacts& facts) {
  if (facts.non_finite != 0) {
    return {StatusCode::kNonFinite, "a stored element is NaN or infinite; every element must be finite"};
  }
  if (facts.overflown != 0) {
    return {StatusCode::kRange,
            "a stored element is too large for the memory's storage; f16 takes up to 65504"};
  }
  return {};
}

Status fill_rows(Lane& lane, ResidentRows& rows, uint64_t first, uint64_t count, const float* keys,
                 const float* values) {
  Status status = use_device(lane.device());
  if (status.ok()) {
    status = lane.workspace.reserve(Buffer::Kind::kDevice, lane.device(), sizeof(IntakeFacts),
                                    "the work of a call");
  }
  if (!status.ok()) return status;
  auto* const facts = lane.workspace.as<IntakeFacts>();
  const cudaStream_t stream = lane.stream().get();
  status =
      check(cudaMemsetAsync(facts, 0, sizeof *facts, stream), lane.device(), "copying rows to the device");

  const RowShape& shape = rows.shape();
  const RowArrays to = rows.arrays().from(shape, first);
  if (status.ok()) {
    status = lane.transfer().send(keys, count, shape.dim, to.keys, shape.key_pitch(), shape.element,
                                  to.square_norms, facts);
  }
  if (status.ok() && shape.width != 0) {
    status = lane.transfer().send(values, count, shape.width, to.values, shape.value_pitch(), shape.element,
                                  nullptr, facts);
  }
  if (!status.ok()) {
    cudaStreamSynchronize(stream);  // what is queued writes to rows that the caller may now let go of
    cudaGetLastError();
    return status;
  }
  IntakeFacts met{};
  cudaError_t error = cudaMemcpyAsync(&met, facts, sizeof met, cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  status = check(error, lane.device(), "copying rows to the device");
  if (!status.ok()) return status;
  rows.note_square_norm(met.largest_square_norm);
  return facts_status(met);
}

}  // namespace engram::cuda
