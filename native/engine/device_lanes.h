// The lanes of one device, lent to passes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "engine/device_table.h"

namespace engram::engine {

class DeviceLanes;

// A lane on loan. Goes back, or is closed where its device failed in use, with its holder.
class LentLane {
 public:
  LentLane() = default;
  LentLane(DeviceLanes& lanes, EngramLane* lane) : lanes_(&lanes), lane_(lane) {}
  LentLane(LentLane&& other) noexcept;
  LentLane& operator=(LentLane&& other) noexcept;
  ~LentLane();

  EngramLane* get() const noexcept { return lane_; }
  void mark_broken() noexcept { broken_ = true; }

 private:
  DeviceLanes* lanes_ = nullptr;
  EngramLane* lane_ = nullptr;
  bool broken_ = false;
};

// Lanes are opened when they are needed and kept for the next call.
class DeviceLanes {
 public:
  DeviceLanes(const EngramDeviceTable& table, uint32_t device) : table_(table), device_(device) {}
  ~DeviceLanes() { trim(); }  // none is lent any more
  DeviceLanes(const DeviceLanes&) = delete;
  DeviceLanes& operator=(const DeviceLanes&) = delete;

  // kDevice, kOutOfMemory.
  Result<LentLane> borrow();
  // Runs what needs memory of the device; once more without the lanes that nobody uses where it met
  // kOutOfMemory, for these hold memory, too.
  template <typename Work>
  Status with_room(const Work& work) {
    Status status = work();
    if (status.code() != StatusCode::kOutOfMemory) return status;
    trim();
    return work();
  }

 private:
  friend class LentLane;
  static constexpr size_t kMostKept = 4;
  void trim();
  void give_back(EngramLane* lane, bool broken);

  const EngramDeviceTable& table_;
  const uint32_t device_;
  std::mutex mutex_;
  std::vector<EngramLane*> free_;
};

}  // namespace engram::engine
