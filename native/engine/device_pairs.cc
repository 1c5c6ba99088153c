#include "engine/device_pairs.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/device_plugin.h"

namespace engram::engine {
namespace {

template <typename Plain, typename Set>
Plain plain(const Set& clouds) {
  return {.points = clouds.points.data(),
          .weights = clouds.weights.data(),
          .offsets = clouds.offsets.data(),
          .count = static_cast<uint32_t>(clouds.offsets.size() - 1),
          .dim = static_cast<uint32_t>(clouds.dim)};
}

class DevicePairs final : public PairSolver {
 public:
  // `resident`: room for all points; null where they pass through.
  DevicePairs(const EngramDeviceTable& table, DeviceLanes& lanes, const CloudSet& clouds,
              EngramClouds* resident)
      : table_(table), lanes_(lanes), stored_(plain<EngramCloudSet>(clouds)), resident_(resident) {}
  ~DevicePairs() override {
    if (resident_ != nullptr) table_.transport.destroy_clouds(resident_);
  }
  DevicePairs(const DevicePairs&) = delete;
  DevicePairs& operator=(const DevicePairs&) = delete;

  uint64_t bytes() const override {
    return resident_ == nullptr ? 0 : table_.transport.clouds_bytes(resident_);
  }

  bool fits(size_t rows, size_t columns) const override {
    constexpr size_t kMost = 1 << 16;  // far more than fit; what follows is 32 bits
    if (rows > kMost || columns > kMost) return false;
    return table_.transport.fits(static_cast<uint32_t>(rows), static_cast<uint32_t>(columns)) != 0;
  }

  Status solve(const PairBatch& batch) const override {
    Result<LentLane> lane = lanes_.borrow();
    if (!lane.ok()) return lane.status();
    const auto queries = plain<EngramMeasureSet>(batch.queries);
    std::vector<EngramPairSolution> solutions(batch.query.size());
    const EngramPairs pairs{.stored = &stored_,
                            .resident = resident_,
                            .queries = &queries,
                            .query = batch.query.data(),
                            .cloud = batch.cloud.data(),
                            .count = batch.query.size(),
                            .cost_scale = batch.cost_scale,
                            .epsilon = batch.epsilon,
                            .tolerance = batch.tolerance,
                            .max_iterations = batch.max_iterations,
                            .potentials = batch.potentials.data(),
                            .solutions = solutions.data(),
                            .transforms = batch.transforms.empty() ? nullptr : batch.transforms.data(),
                            .projections = batch.projections.empty() ? nullptr : batch.projections.data(),
                            .keep_going = &keeps_going,
                            .context = const_cast<std::function<bool()>*>(&batch.keep_going)};
    EngramFailure failure{};
    const Status status = lanes_.with_room([&] {
      const Status filled = fill(lane.value().get(), batch.keep_going);
      if (!filled.ok()) return filled;
      return device_status(table_.transport.solve_pairs(lane.value().get(), &pairs, &failure), failure);
    });
    if (status.code() == StatusCode::kDevice) lane.value().mark_broken();
    if (!status.ok()) return status;
    for (size_t p = 0; p < solutions.size(); ++p) {
      const EngramPairSolution& found = solutions[p];
      batch.solutions[p] = {.value = found.value,
                            .residual = found.residual,
                            .spread = found.spread,
                            .range = found.range,
                            .iterations = found.iterations,
                            .converged = found.converged != 0};
    }
    return {};
  }

 private:
  static uint32_t keeps_going(void* context) {
    const auto& keep_going = *static_cast<const std::function<bool()>*>(context);
    return !keep_going || keep_going() ? 1 : 0;
  }

  // Brings the points to the device that are not there yet. Other calls wait here for the one that does.
  Status fill(EngramLane* lane, const std::function<bool()>& keep_going) const {
    const uint64_t points = stored_.offsets[stored_.count];
    if (resident_ == nullptr || filled_.load(std::memory_order_acquire) == points) return {};
    const std::lock_guard<std::mutex> lock(mutex_);
    // Some milliseconds each, after which the call may be cancelled.
    constexpr uint64_t kBytes = uint64_t{256} << 20;
    const uint64_t most = std::max<uint64_t>(1, kBytes / (stored_.dim * sizeof(float) + sizeof(double)));
    for (uint64_t first = filled_.load(std::memory_order_relaxed); first < points;) {
      const uint64_t count = std::min(most, points - first);
      EngramFailure failure{};
      const Status status = device_status(
          table_.transport.fill_clouds(lane, resident_, first, count, stored_.points + first * stored_.dim,
                                       stored_.weights + first, &failure),
          failure);
      if (!status.ok()) return status;
      first += count;
      filled_.store(first, std::memory_order_release);
      if (first < points && keep_going && !keep_going()) {
        return {StatusCode::kAborted, "the pairs are not wanted any more"};
      }
    }
    return {};
  }

  const EngramDeviceTable& table_;
  DeviceLanes& lanes_;
  const EngramCloudSet stored_;
  EngramClouds* const resident_;
  mutable std::mutex mutex_;
  mutable std::atomic<uint64_t> filled_{0};  // points
};

}  // namespace

Result<std::shared_ptr<const PairSolver>> make_device_pairs(const EngramDeviceTable& table, uint32_t device,
                                                            DeviceLanes& lanes, const CloudSet& clouds,
                                                            uint64_t most_bytes) {
  const uint64_t points = clouds.weights.size();
  EngramClouds* resident = nullptr;
  if (points * (clouds.dim * sizeof(float) + sizeof(double)) <= most_bytes) {
    EngramFailure failure{};
    const Status status = lanes.with_room([&] {
      return device_status(table.transport.create_clouds(device, points, static_cast<uint32_t>(clouds.dim),
                                                         &resident, &failure),
                           failure);
    });
    if (!status.ok()) return status;
  }
  return std::shared_ptr<const PairSolver>(std::make_shared<DevicePairs>(table, lanes, clouds, resident));
}

}  // namespace engram::engine
