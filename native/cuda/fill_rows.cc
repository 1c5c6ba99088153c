#include "cuda/fill_rows.h"

#include "cuda/check.h"
#include "cuda/devices.h"

namespace engram::cuda {

Status fill_rows(Lane& lane, ResidentRows& rows, uint64_t first, uint64_t count, const float* keys,
                 const float* values) {
  Status status = use_device(lane.device());
  if (status.ok()) {
    status = lane.workspace.reserve(Buffer::Kind::kDevice, lane.device(), sizeof(IntakeFacts),
                                    "the work of a call");
  }
  if (!status.ok()) return status;
  const Result<Event> arrived = Event::create(lane.device());
  if (!arrived.ok()) return arrived.status();
  auto* const facts = lane.workspace.as<IntakeFacts>();
  const cudaStream_t stream = lane.stream().get();
  status =
      check(cudaMemsetAsync(facts, 0, sizeof *facts, stream), lane.device(), "copying rows to the device");

  const RowShape& shape = rows.shape();
  const RowArrays to = rows.arrays().from(shape, first);
  if (status.ok()) {
    status = lane.transfer().send_rows(keys, count, shape.dim, to.keys, shape.key_pitch(), shape.element,
                                       to.square_norms, facts);
  }
  if (status.ok() && shape.width != 0) {
    status = lane.transfer().send_rows(values, count, shape.width, to.values, shape.value_pitch(),
                                       shape.element, nullptr, nullptr);
    if (status.ok()) {
      status =
          check(refuse_values(to.values, count, shape.value_pitch(), shape.element, to.square_norms, stream),
                lane.device(), "copying rows to the device");
    }
  }
  if (!status.ok()) {
    cudaStreamSynchronize(stream);  // what is queued writes to rows that the caller may now let go of
    cudaGetLastError();
    return status;
  }
  // Waiting for an event, the thread sleeps; the copy afterwards takes no time.
  IntakeFacts met{};
  cudaError_t error = arrived.value().record(lane.stream());
  if (error == cudaSuccess) error = arrived.value().wait();
  if (error == cudaSuccess) error = cudaMemcpyAsync(&met, facts, sizeof met, cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  status = check(error, lane.device(), "copying rows to the device");
  if (status.ok()) rows.note_square_norm(met.largest_square_norm);
  return status;
}

}  // namespace engram::cuda
