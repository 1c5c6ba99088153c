// A queue of a device with its working memory.
#pragma once

#include <cstdint>
#include <memory>

#include "cuda/buffers.h"
#include "cuda/streams.h"
#include "cuda/transfer.h"
#include "engine/device_table.h"

namespace engram::cuda {

class FoldPass;

// Kernels run in the one stream, copies of rows come in by the other while they do. One thread at a time.
class Lane {
 public:
  // kDevice, kOutOfMemory.
  static Result<std::unique_ptr<Lane>> open(uint32_t device, EngramCopy copy);
  // Waits for what is under way.
  ~Lane();

  uint32_t device() const noexcept { return device_; }
  const EngramDeviceFacts& facts() const noexcept { return facts_; }
  const Stream& stream() const noexcept { return stream_; }
  Transfer& transfer() noexcept { return transfer_; }
  uint64_t bytes() const noexcept { return workspace.size() + transfer_.device_bytes(); }

  Buffer workspace;                // of the fold under way; grows to what the largest asked for
  std::unique_ptr<FoldPass> pass;  // the fold under way

 private:
  Lane(uint32_t device, const EngramDeviceFacts& facts);
  const uint32_t device_;
  const EngramDeviceFacts facts_;
  Stream stream_;
  Transfer transfer_;
};

}  // namespace engram::cuda
