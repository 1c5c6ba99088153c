#include "engine/device_pairs.h"

#include <functional>
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
  DevicePairs(const EngramDeviceTable& table, DeviceLanes& lanes, EngramClouds* clouds)
      : table_(table), lanes_(lanes), clouds_(clouds) {}
  ~DevicePairs() override { table_.transport.destroy_clouds(clouds_); }
  DevicePairs(const DevicePairs&) = delete;
  DevicePairs& operator=(const DevicePairs&) = delete;

  uint64_t bytes() const override { return table_.transport.clouds_bytes(clouds_); }

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
    const EngramPairs pairs{.stored = clouds_,
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

  const EngramDeviceTable& table_;
  DeviceLanes& lanes_;
  EngramClouds* const clouds_;
};

}  // namespace

Result<std::shared_ptr<const PairSolver>> make_device_pairs(const EngramDeviceTable& table, uint32_t device,
                                                            DeviceLanes& lanes, const CloudSet& clouds) {
  const auto set = plain<EngramCloudSet>(clouds);
  EngramClouds* created = nullptr;
  EngramFailure failure{};
  const Status status = lanes.with_room([&] {
    return device_status(table.transport.create_clouds(device, &set, &created, &failure), failure);
  });
  if (!status.ok()) return status;
  return std::shared_ptr<const PairSolver>(std::make_shared<DevicePairs>(table, lanes, created));
}

}  // namespace engram::engine
