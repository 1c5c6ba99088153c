#include "engine/device_lanes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/device_plugin.h"
#include "runtime/parallel.h"

namespace engram::engine {
namespace {

// Staging is filled by several threads: one alone reads host memory slower than a device fetches it.
void copy_in_parallel(void* to, const void* from, uint64_t bytes) {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const uint64_t pieces = (bytes + kPiece - 1) / kPiece;
  const auto copy = [&](size_t piece) {
    const uint64_t first = piece * kPiece;
    std::memcpy(static_cast<std::byte*>(to) + first, static_cast<const std::byte*>(from) + first,
                std::min(kPiece, bytes - first));
  };
  const auto work = [&](size_t piece) -> Result<bool> {
    copy(piece);
    return true;
  };
  if (pieces > 1 && runtime::run_parallel(pieces, work, {}).ok()) return;
  for (uint64_t piece = 0; piece < pieces; ++piece) copy(piece);  // one piece, or no threads to be had
}

}  // namespace

LentLane::LentLane(LentLane&& other) noexcept { *this = std::move(other); }

LentLane& LentLane::operator=(LentLane&& other) noexcept {
  std::swap(lanes_, other.lanes_);
  std::swap(lane_, other.lane_);
  std::swap(broken_, other.broken_);
  return *this;
}

LentLane::~LentLane() {
  if (lane_ != nullptr) lanes_->give_back(lane_, broken_);
}

Result<LentLane> DeviceLanes::borrow() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      EngramLane* const lane = free_.back();
      free_.pop_back();
      return LentLane(*this, lane);
    }
  }
  EngramLane* lane = nullptr;
  EngramFailure failure{};
  const Status status = device_status(table_.open_lane(device_, &copy_in_parallel, &lane, &failure), failure);
  if (!status.ok()) return status;
  return LentLane(*this, lane);
}

void DeviceLanes::trim() {
  std::vector<EngramLane*> idle;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle.swap(free_);
  }
  for (EngramLane* lane : idle) table_.close_lane(lane);
}

void DeviceLanes::give_back(EngramLane* lane, bool broken) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!broken && free_.size() < kMostKept) {
      free_.push_back(lane);
      return;
    }
  }
  table_.close_lane(lane);
}

}  // namespace engram::engine
