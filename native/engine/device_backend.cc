#include "engine/device_backend.h"

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/cpu_backend.h"
#include "engine/device_lanes.h"
#include "engine/device_pairs.h"
#include "engine/device_plugin.h"
#include "runtime/waiting_jobs.h"

namespace engram::engine {
namespace {

static_assert(static_cast<uint32_t>(Storage::kFloat32) == ENGRAM_ELEMENT_F32);
static_assert(static_cast<uint32_t>(Storage::kFloat16) == ENGRAM_ELEMENT_F16);
static_assert(static_cast<uint32_t>(Storage::kBfloat16) == ENGRAM_ELEMENT_BF16);
static_assert(static_cast<uint32_t>(Arithmetic::kTf32x3) == ENGRAM_ARITHMETIC_TF32X3);
static_assert(static_cast<uint32_t>(Arithmetic::kTf32) == ENGRAM_ARITHMETIC_TF32);
static_assert(static_cast<uint32_t>(Arithmetic::kBfloat16) == ENGRAM_ARITHMETIC_BF16);
static_assert(static_cast<uint32_t>(KeyTerm::kNone) == ENGRAM_TERM_NONE);
static_assert(static_cast<uint32_t>(KeyTerm::kHalfSquareNorm) == ENGRAM_TERM_HALF_SQUARE_NORM);
static_assert(static_cast<uint32_t>(KeyTerm::kReciprocalNorm) == ENGRAM_TERM_RECIPROCAL_NORM);
static_assert(static_cast<uint32_t>(Fold::kLogSumExp) == ENGRAM_FOLD_LOG_SUM_EXP);
static_assert(static_cast<uint32_t>(Fold::kReadout) == ENGRAM_FOLD_READOUT);
static_assert(static_cast<uint32_t>(Fold::kTopK) == ENGRAM_FOLD_TOP_K);
static_assert(static_cast<uint32_t>(Fold::kCandidates) == ENGRAM_FOLD_CANDIDATES);
static_assert(sizeof(Candidate) == sizeof(EngramCandidate));

// The numbers that a storage takes: those below `bound` are finite once they are rounded, those of f32 to the
// shortest number they may be multiplied as.
struct StorageRange {
  const char* name;
  float bound;
  const char* largest;
};
StorageRange range_of(Storage storage) {
  switch (storage) {
    case Storage::kFloat16: return {"f16", 65520.0F, "65504"};
    case Storage::kBfloat16: return {"bf16", 0x1.FFp127F, "3.39e38"};
    case Storage::kFloat32: break;
  }
  return {"f32", 0x1.FFp127F, "3.39e38"};
}

// A stored row for an error message.
struct NamedRow {
  const char* what;  // "pattern", "value"
  uint64_t item;
  const float* data;
  size_t width;

  std::string element(size_t at) const {
    return std::string("stored ") + what + " " + std::to_string(item) + " has " + std::to_string(data[at]) +
           " at position " + std::to_string(at);
  }
};

// The first element that a device cannot keep; nothing where it keeps all.
std::optional<Status> explain_elements(const NamedRow& row, Storage storage) {
  const StorageRange range = range_of(storage);
  for (size_t at = 0; at < row.width; ++at) {
    const float x = row.data[at];
    if (std::abs(x) < range.bound) continue;
    if (!std::isfinite(x)) {
      return Status(StatusCode::kNonFinite, row.element(at) + "; every element must be finite");
    }
    return Status(StatusCode::kRange, row.element(at) + "; a memory stored as " + range.name +
                                          " takes numbers up to " + range.largest);
  }
  return {};
}

// Why a pattern of numbers that can be kept cannot be scored; nothing where it can.
std::optional<Status> explain_norm(const NamedRow& row) {
  constexpr double kSquareLimit = double{FLT_MAX} / 4 * (1 - 0x1p-6);  // rounding may have made it larger
  double square = 0;
  size_t largest = 0;
  for (size_t at = 0; at < row.width; ++at) {
    square += static_cast<double>(row.data[at]) * row.data[at];
    if (std::abs(row.data[at]) > std::abs(row.data[largest])) largest = at;
  }
  if (square < kSquareLimit) return {};
  return Status(StatusCode::kRange,
                row.element(largest) + " and the norm " + std::to_string(std::sqrt(square)) +
                    "; devices score patterns of norms below 9.2e18 (their squares within Float32)");
}

// The first item of the operation that a device cannot score. Items that are removed are not looked at.
std::optional<Status> explain(const ScoreFold& op) {
  const auto removed = [&](uint64_t item) {
    return item / 64 < op.removed.size() && (op.removed[item / 64] >> (item % 64) & 1) != 0;
  };
  for (const KeyBlock& block : op.blocks) {
    for (uint64_t r = 0; r < block.rows; ++r) {
      const uint64_t item = block.first + r;
      if (removed(item)) continue;
      const NamedRow key{"pattern", item, block.keys + r * op.dim, op.dim};
      std::optional<Status> found = explain_elements(key, op.device.storage);
      if (!found) found = explain_norm(key);
      if (!found && op.separate_values) {
        found = explain_elements({"value", item, block.values + r * op.value_dim, op.value_dim},
                                 op.device.storage);
      }
      if (found) return found;
    }
  }
  return {};
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
    // Some milliseconds, after which the call may be cancelled. Every end costs a wait for the last copy.
    constexpr uint64_t kBytes = uint64_t{256} << 20;
    const size_t value_width = op.separate_values ? op.value_dim : 0;
    const uint64_t most = std::max<uint64_t>(1, kBytes / sizeof(float) / (op.dim + value_width));
    const uint64_t count = std::min(most, block.rows - first);
    const float* keys = block.keys + first * op.dim;
    const float* values = op.separate_values ? block.values + first * value_width : nullptr;
    EngramFailure failure{};
    const Status status =
        device_status(table_.fill_rows(lane, rows_, first, count, keys, values, &failure), failure);
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
    if (status.code() == StatusCode::kNonFinite) return explain(op_).value_or(status);
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
      : table_(table), device_(device), facts_(facts), lanes_(table, device), jobs_(kJobs, kFirstNumber) {}

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
    const bool full_rows = operation.device.storage == Storage::kFloat32;
    if (too_long || (operation.in_float32 && !full_rows)) return cpu_backend().plan(operation);
    ScoreFold planned = operation;
    if (operation.in_float32 || operation.query_count <= kFewQueries) {
      planned.device.arithmetic = Arithmetic::kTf32x3;
    }
    return std::unique_ptr<Pass>(new DevicePass(table_, lanes_, planned));
  }

  Rounding rounding(const DeviceOptions& options, uint64_t queries) const override {
    const bool full_rows = options.storage == Storage::kFloat32;
    return full_rows && queries <= kFewQueries ? Rounding() : rounding_of(options);
  }

  void submit(std::shared_ptr<runtime::Job> job) const override { jobs_.submit(std::move(job)); }

  Result<std::shared_ptr<const PairSolver>> pair_solver(const CloudSet& clouds) const override {
    return make_device_pairs(table_, device_, lanes_, clouds, most_bytes());
  }

  Result<std::shared_ptr<Resident>> reserve(const ResidentLayout& layout) const override {
    const size_t element = layout.storage == Storage::kFloat32 ? 4 : 2;
    const size_t row =
        row_bytes(layout.dim * element) + row_bytes(layout.value_dim * element) + sizeof(float);
    const double bytes = static_cast<double>(layout.capacity) * static_cast<double>(row);
    if (bytes + static_cast<double>(layout.beside) > static_cast<double>(most_bytes())) {
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
  // So few are bound by the bytes of the rows: rows of f32 are multiplied in Float32 whatever is asked.
  static constexpr uint64_t kFewQueries = 8;
  // Rows of keys and of values begin on 16 bytes there.
  static constexpr size_t row_bytes(size_t bytes) { return (bytes + 15) / 16 * 16; }
  // What one memory may hold.
  uint64_t most_bytes() const { return facts_.memory_bytes / 10 * 9; }

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
