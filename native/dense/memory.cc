#include "dense/memory.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "base/memory.h"
#include "engine/cpu_backend.h"

namespace engram::dense {

// Rows copied in. It has room for `capacity` rows; the first `used` are filled and never move, so a
// snapshot that sees fewer of them is not disturbed when more are added behind.
struct Memory::Arena {
  AlignedBuffer keys;
  AlignedBuffer values;  // empty for an auto-associative memory
  uint64_t capacity = 0;
  uint64_t used = 0;

  static Result<std::shared_ptr<Arena>> allocate(uint64_t capacity, size_t dim, size_t separate_values);
  size_t bytes() const { return keys.size() + values.size(); }
};

Result<std::shared_ptr<Memory::Arena>> Memory::Arena::allocate(uint64_t capacity, size_t dim,
                                                               size_t separate_values) {
  auto arena = std::make_shared<Arena>();
  arena->capacity = capacity;
  Result<AlignedBuffer> keys = AlignedBuffer::allocate(capacity * dim * sizeof(float));
  if (!keys.ok()) return keys.status();
  arena->keys = std::move(keys).value();
  Result<AlignedBuffer> values = AlignedBuffer::allocate(capacity * separate_values * sizeof(float));
  if (!values.ok()) return values.status();
  arena->values = std::move(values).value();
  return arena;
}

namespace {

constexpr size_t kSmallestArena = 256 << 10;  // bytes
constexpr size_t kRoomOnDevice = 64 << 20;  // bytes of Float32 that may be spared there, however few are held

// Names the first element that is not finite. Precondition: there is one.
Status explain_nonfinite(const float* data, size_t width, const char* what) {
  uint64_t at = 0;
  while (std::isfinite(data[at])) ++at;
  return {StatusCode::kNonFinite, std::string(what) + " " + std::to_string(at / width) + " has " +
                                      std::to_string(data[at]) + " at position " +
                                      std::to_string(at % width) + "; every element must be finite"};
}

// Copies and checks in one pass; each element is read once, since a shared source may be written meanwhile.
Status copy_finite(float* __restrict to, const float* __restrict from, uint64_t rows, size_t width,
                   const char* what) {
  uint32_t carries = 0;
  for (uint64_t i = 0; i < rows * width; ++i) {
    const auto bits = std::bit_cast<uint32_t>(from[i]);
    to[i] = std::bit_cast<float>(bits);
    // The exponent of infinities and NaNs is all ones: adding one to it carries into the sign bit.
    carries |= (bits & 0x7FFFFFFFU) + 0x00800000U;
  }
  return carries >> 31 == 0 ? Status() : explain_nonfinite(to, width, what);
}

Status values_error(bool hetero) {
  return {StatusCode::kShape, hetero ? "this memory stores values with its patterns; none were given"
                                     : "this memory stores no values apart from its patterns"};
}

uint64_t bytes_on_device(const Snapshot& snapshot) {
  uint64_t bytes = 0;
  for (const Block& block : snapshot.blocks) bytes += block.resident != nullptr ? block.resident->bytes() : 0;
  return bytes;
}

bool fits(uint64_t rows, size_t width) { return rows <= SIZE_MAX / sizeof(float) / width; }

}  // namespace

Memory::Memory(size_t dim, size_t value_dim, bool hetero)
    : dim_(dim), value_dim_(value_dim), hetero_(hetero) {
  auto empty = std::make_shared<Snapshot>();
  empty->dim = dim;
  empty->value_dim = value_dim;
  empty->hetero = hetero;
  empty->placement.backend = &engine::cpu_backend();
  snapshot_ = std::move(empty);
}

Result<std::shared_ptr<Memory>> Memory::create(size_t dim, size_t value_dim) {
  if (dim == 0) return Status(StatusCode::kShape, "dim is 0; at least 1 is needed");
  const bool hetero = value_dim != 0;
  return std::shared_ptr<Memory>(new Memory(dim, hetero ? value_dim : dim, hetero));
}

// The rows that lie there already get their places one after the other; an arena that still has room is
// closed, since its block's place is as large as its rows.
Status Memory::place(const Placement& placement) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_);
  next->placement = placement;
  for (Block& block : next->blocks) block.resident.reset();
  for (Block& block : next->blocks) {
    Result<std::shared_ptr<engine::Resident>> resident = room_on_device(*next, block.rows);
    if (!resident.ok()) return resident.status();
    block.resident = std::move(resident).value();
  }
  open_arena_.reset();
  reserved_.reset();
  snapshot_ = std::move(next);
  return {};
}

Status Memory::reserve(uint64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reserve_locked(rows);
}

Status Memory::reserve_locked(uint64_t rows) {
  reserved_.reset();
  if (rows == 0) return {};
  Result<std::shared_ptr<engine::Resident>> resident = room_on_device(*snapshot_, rows);
  if (!resident.ok()) return resident.status();
  reserved_ = Reserved{rows, std::move(resident).value()};
  return {};
}

Status Memory::adopt(const float* keys, const float* values, uint64_t rows,
                     std::shared_ptr<const void> owner) {
  if ((values != nullptr) != hetero_) return values_error(hetero_);
  if (rows == 0) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!reserved_ || reserved_->rows != rows) {
    const Status status = reserve_locked(rows);
    if (!status.ok()) return status;
  }
  auto next = std::make_shared<Snapshot>(*snapshot_);
  next->blocks.push_back({.keys = keys,
                          .values = hetero_ ? values : keys,
                          .first = next->count,
                          .rows = rows,
                          .owner = std::move(owner),
                          .resident = std::move(reserved_->resident)});
  reserved_.reset();
  next->count += rows;
  next->live += rows;
  snapshot_ = std::move(next);
  return {};
}

// Room on the device for the rows of a new block, beside those of a snapshot.
Result<std::shared_ptr<engine::Resident>> Memory::room_on_device(const Snapshot& beside,
                                                                 uint64_t rows) const {
  const Placement& placement = beside.placement;
  return placement.backend->reserve({.capacity = rows,
                                     .dim = dim_,
                                     .value_dim = hetero_ ? value_dim_ : 0,
                                     .storage = placement.options.storage,
                                     .beside = bytes_on_device(beside)});
}

// Most rows of an arena that is made larger than it need be. In host memory that costs addresses alone until
// it is written; room on a device is taken at once, and others may want it.
uint64_t Memory::spare_rows() const {
  if (snapshot_->placement.backend == &engine::cpu_backend()) return UINT64_MAX;
  const uint64_t floor = kRoomOnDevice / sizeof(float) / (dim_ + (hetero_ ? value_dim_ : 0));
  return std::max(snapshot_->count / 4, floor);
}

// The open arena where it has room, else a new one: of twice its size where so much may be spared.
Result<std::shared_ptr<Memory::Arena>> Memory::arena_for(uint64_t rows) const {
  if (open_arena_ != nullptr && open_arena_->capacity - open_arena_->used >= rows) return open_arena_;
  const size_t separate_values = hetero_ ? value_dim_ : 0;
  if (!fits(rows, dim_) || (hetero_ && !fits(rows, value_dim_))) {
    return Status(StatusCode::kOutOfMemory, std::to_string(rows) + " rows exceed the address space");
  }
  const uint64_t smallest = kSmallestArena / sizeof(float) / (dim_ + separate_values);
  const uint64_t wished = open_arena_ != nullptr ? 2 * open_arena_->capacity : smallest;
  const uint64_t doubled = std::min(wished, spare_rows());
  if (doubled > rows && fits(doubled, dim_) && fits(doubled, value_dim_)) {
    Result<std::shared_ptr<Arena>> roomy = Arena::allocate(doubled, dim_, separate_values);
    if (roomy.ok()) return roomy;
  }
  return Arena::allocate(rows, dim_, separate_values);  // just enough, where there is no memory for more
}

// An arena for new rows, and the place of its block on the device: both just large enough where the device
// has no room for more, or the memory may not take more of it. (Null is also the answer of the CPU.)
Result<Memory::Room> Memory::room_for(uint64_t rows) const {
  Result<std::shared_ptr<Arena>> found = arena_for(rows);
  if (!found.ok()) return found.status();
  std::shared_ptr<Arena> arena = std::move(found).value();
  const bool extends = !snapshot_->blocks.empty() && snapshot_->blocks.back().owner == arena;
  if (extends) return Room{arena, snapshot_->blocks.back().resident};
  const uint64_t free = arena->capacity - arena->used;
  Result<std::shared_ptr<engine::Resident>> resident = room_on_device(*snapshot_, free);
  const bool refused =
      resident.ok() ? resident.value() == nullptr : resident.status().code() == StatusCode::kOutOfMemory;
  if (refused && free > rows) {
    Result<std::shared_ptr<engine::Resident>> exact = room_on_device(*snapshot_, rows);
    const bool fits = exact.ok() && exact.value() != nullptr;
    if (fits) {
      found = Arena::allocate(rows, dim_, hetero_ ? value_dim_ : 0);
      if (!found.ok()) return found.status();
      arena = std::move(found).value();
    }
    if (fits || !resident.ok()) resident = std::move(exact);
  }
  if (!resident.ok()) return resident.status();
  return Room{std::move(arena), std::move(resident).value()};
}

Result<uint64_t> Memory::append(const float* keys, const float* values, uint64_t rows) {
  if ((values != nullptr) != hetero_) return values_error(hetero_);
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t first = snapshot_->count;
  if (rows == 0) return first;
  Result<Room> found = room_for(rows);
  if (!found.ok()) return found.status();
  const auto [arena, resident] = std::move(found).value();

  // Behind the rows that any snapshot sees: nobody reads here yet.
  float* const key_rows = arena->keys.as<float>() + arena->used * dim_;
  float* const value_rows = hetero_ ? arena->values.as<float>() + arena->used * value_dim_ : key_rows;
  Status status = copy_finite(key_rows, keys, rows, dim_, "pattern");
  if (status.ok() && hetero_) status = copy_finite(value_rows, values, rows, value_dim_, "value");
  if (!status.ok()) return status;

  auto next = std::make_shared<Snapshot>(*snapshot_);
  if (!next->blocks.empty() && next->blocks.back().owner == arena) {
    next->blocks.back().rows += rows;  // the rows lie right behind the last block's
  } else {
    next->blocks.push_back({.keys = key_rows,
                            .values = value_rows,
                            .first = first,
                            .rows = rows,
                            .owner = arena,
                            .resident = resident});
  }
  next->count += rows;
  next->live += rows;
  snapshot_ = std::move(next);
  arena->used += rows;
  if (open_arena_ != arena) native_bytes_ += arena->bytes();
  open_arena_ = arena;
  return first;
}

Result<uint64_t> Memory::remove(std::span<const uint64_t> indices) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto bits = snapshot_->removed ? std::make_shared<std::vector<uint64_t>>(*snapshot_->removed)
                                 : std::make_shared<std::vector<uint64_t>>();
  bits->resize((snapshot_->count + 63) / 64);
  uint64_t removed = 0;
  for (const uint64_t index : indices) {
    if (index >= snapshot_->count) {
      return Status(StatusCode::kRange, "index " + std::to_string(index) +
                                            " is out of range; the memory has " +
                                            std::to_string(snapshot_->count) + " items");
    }
    const uint64_t bit = uint64_t{1} << (index % 64);
    if (((*bits)[index / 64] & bit) != 0) continue;
    (*bits)[index / 64] |= bit;
    ++removed;
  }
  if (removed == 0) return removed;
  auto next = std::make_shared<Snapshot>(*snapshot_);
  const size_t before = next->removed ? next->removed->size() : 0;
  native_bytes_ += (bits->size() - before) * sizeof(uint64_t);
  next->live -= removed;
  next->removed = std::move(bits);
  snapshot_ = std::move(next);
  return removed;
}

std::shared_ptr<const Snapshot> Memory::snapshot() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return snapshot_;
}

size_t Memory::native_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return native_bytes_;
}

uint64_t Memory::device_bytes() const { return bytes_on_device(*snapshot()); }

std::optional<Calibration> Memory::calibration() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calibration_;
}

void Memory::set_calibration(const Calibration& calibration) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calibration_ = calibration;
}

}  // namespace engram::dense
