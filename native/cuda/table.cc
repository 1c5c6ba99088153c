// The plugin's one export: the table of engine/device_table.h.
#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "cuda/check.h"
#include "cuda/devices.h"
#include "cuda/fill_rows.h"
#include "cuda/fold_pass.h"
#include "cuda/lane.h"
#include "cuda/large_pairs.h"
#include "cuda/pair_batch.h"
#include "cuda/resident_clouds.h"
#include "cuda/resident_rows.h"
#include "engine/device_table.h"

struct EngramRows;
struct EngramLane;

namespace engram::cuda {
namespace {

ResidentRows* rows_of(EngramRows* rows) { return reinterpret_cast<ResidentRows*>(rows); }
const ResidentRows* rows_of(const EngramRows* rows) { return reinterpret_cast<const ResidentRows*>(rows); }
Lane* lane_of(EngramLane* lane) { return reinterpret_cast<Lane*>(lane); }
const Lane* lane_of(const EngramLane* lane) { return reinterpret_cast<const Lane*>(lane); }
ResidentClouds* clouds_of(EngramClouds* clouds) { return reinterpret_cast<ResidentClouds*>(clouds); }

int32_t told(const Status& status, EngramFailure* failure) {
  if (status.ok()) return 0;
  failure->code = static_cast<int32_t>(status.code());
  const size_t length = std::min(status.message().size(), sizeof failure->message - 1);
  std::copy_n(status.message().data(), length, failure->message);
  failure->message[length] = '\0';
  return failure->code;
}

// Runs what may fail or throw, and tells of it in C.
template <typename Work>
int32_t guarded(EngramFailure* failure, Work work) noexcept {
  try {
    return told(work(), failure);
  } catch (const std::bad_alloc&) {
    return told({StatusCode::kOutOfMemory, "no memory"}, failure);
  } catch (const std::exception& error) {
    return told({StatusCode::kDevice, error.what()}, failure);
  }
}

int32_t count(uint32_t* devices, EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    const Result<uint32_t> found = count_devices();
    if (!found.ok()) return found.status();
    *devices = found.value();
    return {};
  });
}

int32_t facts(uint32_t device, EngramDeviceFacts* out, EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    const Result<EngramDeviceFacts> found = device_facts(device);
    if (!found.ok()) return found.status();
    *out = found.value();
    return {};
  });
}

int32_t create_rows(uint32_t device, const EngramRowsLayout* layout, EngramRows** rows,
                    EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    const Result<ResidentRows*> created = ResidentRows::create(device, *layout);
    if (!created.ok()) return created.status();
    *rows = reinterpret_cast<EngramRows*>(created.value());
    return {};
  });
}

void destroy_rows(EngramRows* rows) { delete rows_of(rows); }
uint64_t rows_bytes(const EngramRows* rows) { return rows_of(rows)->bytes(); }

int32_t open_lane(uint32_t device, EngramCopy copy, EngramLane** lane, EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    Result<std::unique_ptr<Lane>> opened = Lane::open(device, copy);
    if (!opened.ok()) return opened.status();
    *lane = reinterpret_cast<EngramLane*>(std::move(opened).value().release());
    return {};
  });
}

void close_lane(EngramLane* lane) { delete lane_of(lane); }
uint64_t lane_bytes(const EngramLane* lane) { return lane_of(lane)->bytes(); }

int32_t fill(EngramLane* lane, EngramRows* rows, uint64_t first, uint64_t count, const float* keys,
             const float* values, EngramFailure* failure) {
  return guarded(failure,
                 [&] { return fill_rows(*lane_of(lane), *rows_of(rows), first, count, keys, values); });
}

int32_t begin_fold(EngramLane* lane, const EngramFold* fold, EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    Result<std::unique_ptr<FoldPass>> pass = FoldPass::begin(*lane_of(lane), *fold);
    if (!pass.ok()) return pass.status();
    lane_of(lane)->pass = std::move(pass).value();
    return {};
  });
}

int32_t step_fold(EngramLane* lane, uint32_t* ended, uint64_t* work, EngramFailure* failure) {
  return guarded(failure, [&] {
    bool last = false;
    const Status status = lane_of(lane)->pass->step(last, *work);
    *ended = last ? 1 : 0;
    return status;
  });
}

void end_fold(EngramLane* lane) { lane_of(lane)->pass.reset(); }

int32_t create_clouds(uint32_t device, uint64_t points, uint32_t dim, EngramClouds** created,
                      EngramFailure* failure) {
  return guarded(failure, [&]() -> Status {
    const Result<ResidentClouds*> resident = ResidentClouds::create(device, points, dim);
    if (!resident.ok()) return resident.status();
    *created = reinterpret_cast<EngramClouds*>(resident.value());
    return {};
  });
}

void destroy_clouds(EngramClouds* clouds) { delete clouds_of(clouds); }
uint64_t clouds_bytes(const EngramClouds* clouds) {
  return reinterpret_cast<const ResidentClouds*>(clouds)->bytes();
}

int32_t fill_clouds(EngramLane* lane, EngramClouds* clouds, uint64_t first, uint64_t count,
                    const float* points, const double* weights, EngramFailure* failure) {
  return guarded(failure,
                 [&] { return clouds_of(clouds)->fill(*lane_of(lane), first, count, points, weights); });
}

int32_t fits(uint32_t rows, uint32_t columns) { return large_fits(rows, columns) ? 1 : 0; }

int32_t solve(EngramLane* lane, const EngramPairs* pairs, EngramFailure* failure) {
  return guarded(failure, [&] { return solve_batch(*lane_of(lane), *pairs); });
}

}  // namespace
}  // namespace engram::cuda

extern "C" __attribute__((visibility("default"))) const EngramDeviceTable* engram_device_table(void) {
  using namespace engram::cuda;
  static const EngramDeviceTable kTable = {
      .version = ENGRAM_DEVICE_TABLE_VERSION,
      .size = sizeof(EngramDeviceTable),
      .count = &count,
      .facts = &facts,
      .create_rows = &create_rows,
      .destroy_rows = &destroy_rows,
      .rows_bytes = &rows_bytes,
      .open_lane = &open_lane,
      .close_lane = &close_lane,
      .lane_bytes = &lane_bytes,
      .fill_rows = &fill,
      .begin_fold = &begin_fold,
      .step_fold = &step_fold,
      .end_fold = &end_fold,
      .transport = {.create_clouds = &create_clouds,
                    .destroy_clouds = &destroy_clouds,
                    .clouds_bytes = &clouds_bytes,
                    .fill_clouds = &fill_clouds,
                    .fits = &fits,
                    .solve_pairs = &solve},
  };
  return &kTable;
}
