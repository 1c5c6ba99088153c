#include "cuda/lane.h"

#include "cuda/devices.h"
#include "cuda/fold_pass.h"

namespace engram::cuda {

Lane::Lane(uint32_t device, const EngramDeviceFacts& facts) : device_(device), facts_(facts) {}

Result<std::unique_ptr<Lane>> Lane::open(uint32_t device, EngramCopy copy) {
  Status status = use_device(device);
  if (!status.ok()) return status;
  const Result<EngramDeviceFacts> facts = device_facts(device);
  if (!facts.ok()) return facts.status();
  std::unique_ptr<Lane> lane(new Lane(device, facts.value()));
  Result<Stream> stream = Stream::create(device);
  if (!stream.ok()) return stream.status();
  lane->stream_ = std::move(stream).value();
  status = lane->transfer_.open(device, lane->stream_, copy);
  if (!status.ok()) return status;
  return lane;
}

Lane::~Lane() {
  pass.reset();
  cudaSetDevice(static_cast<int>(device_));
  if (stream_.get() != nullptr) cudaStreamSynchronize(stream_.get());
  cudaGetLastError();
}

}  // namespace engram::cuda
