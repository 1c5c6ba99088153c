#include "engine/device_backend.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <utility>

#include "engine/cpu_backend.h"
#include "engine/device_lanes.h"
#include "engine/device_pairs.h"
#include "engine/device_plugin.h"
#include "runtime/waiting_jobs.h"

namespace engram::engine {
namespace {

static_assert(static_cast<uint32_t>(Storage::kBfloat16) == ENGRAM_ELEMENT_BF16);
static_assert(static_cast<uint32_t>(Arithmetic::kBfloat16) == ENGRAM_ARITHMETIC_BF16);
static_assert(sizeof(Candidate) == sizeof(EngramCandidate));

// Names the first element of the rows that a device refused.
Status explain(const float* data, uint64_t first, uint64_t rows, size_t width, const char* what,
               const Status& refusal) {
  const bool finite_wanted = refusal.code() == StatusCode::kNonFinite;
  for (uint64_t at = 0; at < rows * width; ++at) {
    const float x = data[at];
    if (finite_wanted ? std::isfinite(x) : std::abs(x) < 65520.0F) continue;
    return {refusal.code(), std::string("stored ") + what + " " + std::to_string(first + at / width) +
                                " has " + std::to_string(x) + " at position " + std::to_string(at % width) +
                                "; " + refusal.message()};
  }
  return refusal;
}

class DeviceRows final : public Resident {
 public:
  DeviceRows(const EngramDeviceTable& table, EngramRows* rows) : table_(table), rows_(rows) {}
  ~DeviceRows() override { table_.destroy_rows(rows_); }
  DeviceRows(const DeviceRows&) = delete;
  DeviceRows& operator=(const DeviceRows&) = delete;

  uint64_t bytes() const override { return table_.rows_bytes(rows_); }
  const EngramRows* rows() const noexcept { return rows_; }

  // Fills some of the block's rows in that are missing; true when all are there. Others that need the rows
  // wait here for the one that brings them.
  Result<bool> fill(EngramLane* lane, const KeyBlock& block, const ScoreFold& op) {
    if (filled_.load(std::memory_order_acquire) >= block.rows) return true;
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t first = filled_.load(std::memory_order_relaxed);
    if (first >= block.rows) return true;
    constexpr uint64_t kBytes = uint64_t{64}
                                << 20;  // some milliseconds, after which the call may be cancelled
    const size_t value_width = op.separate_values ? op.value_dim : 0;
    const uint64_t most = std::max<uint64_t>(1, kBytes / sizeof(float) / (op.dim + value_width));
    const uint64_t count = std::min(most, block.rows - first);
    const float* keys = block.keys + first * op.dim;
    const float* values = op.separate_values ? block.values + first * value_width : nullptr;
    EngramFailure failure{};
    const Status status =
        device_status(table_.fill_rows(lane, rows_, first, count, keys, values, &failure), failure);
    if (status.code() == StatusCode::kNonFinite || status.code() == StatusCode::kRange) {
      const Status named = explain(keys, block.first + first, count, op.dim, "pattern", status);
      if (values == nullptr || named.message() != status.message()) return named;
      return explain(values, block.first + first, count, value_width, "value", status);
    }
    if (!status.ok()) return status;
    filled_.store(first + count, std::memory_order_release);
    return first + count == block.rows;
  }

 private:
  const EngramDeviceTable& table_;
  EngramRows* const rows_;
  std::mutex mutex_;
  std::atomic<uint64_t> filled_{0};
};

// One strand: bring missing rows in, then step through the fold.
class DevicePass final : public Pass {
 public:
  DevicePass(const EngramDeviceTable& table, DeviceLanes& lanes, const ScoreFold& operation)
      : table_(table), lanes_(lanes), op_(operation) {}
  ~DevicePass() override {
    if (begun_) table_.end_fold(lane_.get());
  }

  size_t strands() const override { return 1; }
  size_t merges() const override { return 0; }
  Status merge(size_t /*index*/) override { return {}; }

  Slice run_slice(size_t /*strand*/) override {
    Slice slice;
    slice.status = lane_.get() == nullptr ? borrow() : Status();
    if (slice.status.ok() && block_ < op_.blocks.size()) {
      slice.status = fill_some();
    } else if (slice.status.ok()) {
      slice.status = step(slice);
    }
    if (slice.status.code() == StatusCode::kDevice) lane_.mark_broken();
    slice.ended = slice.ended || !slice.status.ok();
    return slice;
  }

 private:
  Status borrow() {
    Result<LentLane> lane = lanes_.borrow();
    if (!lane.ok()) return lane.status();
    lane_ = std::move(lane).value();
    return {};
  }

  Status fill_some() {
    const KeyBlock& block = op_.blocks[block_];
    if (block.resident == nullptr) {
      ++block_;
      return {};
    }
    bool all = false;
    const Status status = lanes_.with_room([&] {
      const Result<bool> filled = static_cast<DeviceRows*>(block.resident)->fill(lane_.get(), block, op_);
      all = filled.ok() && filled.value();
      return filled.status();
    });
    if (all) ++block_;
    return status;
  }

  Status step(Slice& slice) {
    if (!begun_) {
      Status status = begin();
      if (!status.ok()) return status;
    }
    uint32_t ended = 0;
    EngramFailure failure{};
    Status status = device_status(table_.step_fold(lane_.get(), &ended, &slice.work, &failure), failure);
    slice.ended = ended != 0;
    if (status.code() == StatusCode::kNonFinite) return explain_passing(status);
    return status;
  }

  Status begin() {
    describe();
    EngramFailure failure{};
    const Status status = lanes_.with_room(
        [&] { return device_status(table_.begin_fold(lane_.get(), &fold_, &failure), failure); });
    begun_ = status.ok();
    return status;
  }

  void describe() {
    for (const KeyBlock& block : op_.blocks) {
      const auto* resident = static_cast<const DeviceRows*>(block.resident);
      parts_.push_back({.rows = resident == nullptr ? nullptr : resident->rows(),
                        .keys = block.keys,
                        .values = op_.separate_values ? block.values : nullptr,
                        .first_item = block.first,
                        .count = block.rows});
    }
    fold_ = {.parts = parts_.data(),
             .part_count = parts_.size(),
             .removed = op_.removed.data(),
             .removed_words = op_.removed.size(),
             .dim = static_cast<uint32_t>(op_.dim),
             .width = op_.separate_values ? static_cast<uint32_t>(op_.value_dim) : 0,
             .element = static_cast<uint32_t>(op_.device.storage),
             .arithmetic = static_cast<uint32_t>(op_.device.arithmetic),
             .term = static_cast<uint32_t>(op_.term),
             .fold = static_cast<uint32_t>(op_.fold),
             .read_keys = op_.read_keys ? 1U : 0U,
             .k = op_.k,
             .queries = op_.queries,
             .scale = op_.scale,
             .query_count = op_.query_count,
             .threshold = op_.threshold,
             .lse = op_.lse,
             .readout = op_.readout,
             .top = reinterpret_cast<EngramCandidate*>(op_.top),
             .take = &take,
             .take_context = op_.candidates,
             .max_square_norm = op_.max_square_norm};
    if (op_.candidates == nullptr) return;
    for (uint64_t i = 0; i < op_.query_count; ++i) op_.candidates[i].clear();
  }

  static void take(void* context, uint64_t query, EngramCandidate candidate) {
    static_cast<std::vector<Candidate>*>(context)[query].push_back({candidate.index, candidate.score});
  }

  // Which of the rows that pass through was no number.
  Status explain_passing(const Status& refusal) const {
    for (const KeyBlock& block : op_.blocks) {
      if (block.resident != nullptr) continue;
      Status named = explain(block.keys, block.first, block.rows, op_.dim, "pattern", refusal);
      if (named.message() != refusal.message()) return named;
      if (!op_.separate_values) continue;
      named = explain(block.values, block.first, block.rows, op_.value_dim, "value", refusal);
      if (named.message() != refusal.message()) return named;
    }
    return refusal;
  }

  const EngramDeviceTable& table_;
  DeviceLanes& lanes_;
  const ScoreFold op_;
  LentLane lane_;
  size_t block_ = 0;  // the blocks before it are on the device, where they are to be
  std::vector<EngramFoldPart> parts_;
  EngramFold fold_{};
  bool begun_ = false;
};

class DeviceBackend final : public Backend {
 public:
  DeviceBackend(const EngramDeviceTable& table, uint32_t device, const EngramDeviceFacts& facts)
      : table_(table),
        device_(device),
        facts_(facts),
        lanes_(table, device),
        jobs_(kJobs, kFirstNumber) {}

  DeviceFacts facts() const override {
    return {.id = "cuda:" + std::to_string(device_),
            .name = facts_.name,
            .available = true,
            .reason = {},
            .memory_bytes = facts_.memory_bytes,
            .instruction_set =
                "sm_" + std::to_string(facts_.compute_major) + std::to_string(facts_.compute_minor)};
  }

  Result<std::unique_ptr<Pass>> plan(const ScoreFold& operation) const override {
    const bool too_long = operation.fold == Fold::kTopK && operation.k > kMostDeviceK;
    const bool too_rough = operation.in_float32 && !rounding_of(operation.device).none();
    if (too_long || too_rough) return cpu_backend().plan(operation);
    return std::unique_ptr<Pass>(new DevicePass(table_, lanes_, operation));
  }

  void submit(std::shared_ptr<runtime::Job> job) const override {
    jobs_.submit(std::move(job));
  }

  Result<std::shared_ptr<const PairSolver>> pair_solver(const CloudSet& clouds) const override {
    return make_device_pairs(table_, device_, lanes_, clouds);
  }

  Result<std::shared_ptr<Resident>> reserve(const ResidentLayout& layout) const override {
    const size_t element = layout.storage == Storage::kFloat32 ? 4 : 2;
    const double bytes = static_cast<double>(layout.capacity) *
                         static_cast<double>((layout.dim + layout.value_dim) * element + sizeof(float));
    if (bytes + static_cast<double>(layout.beside) > kShare * static_cast<double>(facts_.memory_bytes)) {
      return std::shared_ptr<Resident>();
    }
    const EngramRowsLayout rows_layout{.capacity = layout.capacity,
                                       .dim = static_cast<uint32_t>(layout.dim),
                                       .width = static_cast<uint32_t>(layout.value_dim),
                                       .element = static_cast<uint32_t>(layout.storage)};
    EngramRows* rows = nullptr;
    EngramFailure failure{};
    const Status status = lanes_.with_room(
        [&] { return device_status(table_.create_rows(device_, &rows_layout, &rows, &failure), failure); });
    if (!status.ok()) return status;
    return std::shared_ptr<Resident>(std::make_shared<DeviceRows>(table_, rows));
  }

 private:
  static constexpr unsigned kJobs = 4;            // calls under way at the same time
  static constexpr unsigned kFirstNumber = 3000;  // in the threads' names
  static constexpr double kShare = 0.9;           // of the device that one memory may hold

  const EngramDeviceTable& table_;
  const uint32_t device_;
  const EngramDeviceFacts facts_;
  mutable DeviceLanes lanes_;
  mutable runtime::WaitingJobs jobs_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_device_backend(const EngramDeviceTable& table, uint32_t device) {
  EngramDeviceFacts facts{};
  EngramFailure failure{};
  const Status status = device_status(table.facts(device, &facts, &failure), failure);
  if (!status.ok()) return status;
  return std::unique_ptr<Backend>(new DeviceBackend(table, device, facts));
}

}  // namespace engram::engine
