#include "dense/memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/memory.h"
#include "kernels/dispatch.h"

namespace engram::dense {

// Rows copied in. It has room for `capacity` rows; the first `used` are filled and never move, so a
// snapshot that sees fewer of them is not disturbed when more are added behind.
struct Memory::Arena {
  AlignedBuffer keys;
  AlignedBuffer values;  // empty for an auto-associative memory
  uint64_t capacity = 0;
  uint64_t used = 0;

  size_t bytes() const { return keys.size() + values.size(); }
};

namespace {

constexpr size_t kSmallestArena = 256 << 10;  // bytes of keys

Status explain_row(const float* data, uint64_t rows, size_t width, const char* what) {
  for (uint64_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < width; ++c) {
      const float x = data[r * width + c];
      if (std::isfinite(x)) continue;
      return {StatusCode::kNonFinite, std::string(what) + " " + std::to_string(r) + " has " + std::to_string(x) +
                                          " at position " + std::to_string(c) + "; every element must be finite"};
    }
  }
  return {};
}

// Copies, then checks the copy: a shared source may be written meanwhile.
Status copy_finite(float* to, const float* from, uint64_t rows, size_t width, const char* what) {
  std::memcpy(to, from, rows * width * sizeof(float));
  if (kernels::active().all_finite(to, rows * width)) return {};
  return explain_row(to, rows, width, what);
}

bool fits(uint64_t rows, size_t width) { return rows <= SIZE_MAX / sizeof(float) / width; }

}  // namespace

Memory::Memory(size_t dim, size_t value_dim, bool hetero) : dim_(dim), value_dim_(value_dim), hetero_(hetero) {
  auto empty = std::make_shared<Snapshot>();
  empty->dim = dim;
  empty->value_dim = value_dim;
  empty->hetero = hetero;
  snapshot_ = std::move(empty);
}

Result<std::shared_ptr<Memory>> Memory::create(size_t dim, size_t value_dim) {
  if (dim == 0) return Status(StatusCode::kShape, "dim is 0; at least 1 is needed");
  const bool hetero = value_dim != 0;
  return std::shared_ptr<Memory>(new Memory(dim, hetero ? value_dim : dim, hetero));
}

Status Memory::adopt(const float* keys, const float* values, uint64_t rows, std::shared_ptr<const void> owner) {
  if ((values != nullptr) != hetero_) {
    return {StatusCode::kShape, hetero_ ? "this memory stores values with its patterns; none were given"
                                        : "this memory stores no values apart from its patterns"};
  }
  if (rows == 0) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  auto next = std::make_shared<Snapshot>(*snapshot_);
  next->blocks.push_back({.keys = keys,
                          .values = hetero_ ? values : keys,
                          .first = next->count,
                          .rows = rows,
                          .owner = std::move(owner)});
  next->count += rows;
  next->live += rows;
  snapshot_ = std::move(next);
  return {};
}

Result<uint64_t> Memory::append(const float* keys, const float* values, uint64_t rows) {
  if ((values != nullptr) != hetero_) {
    return Status(StatusCode::kShape, hetero_ ? "this memory stores values with its patterns; none were given"
                                              : "this memory stores no values apart from its patterns");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t first = snapshot_->count;
  if (rows == 0) return first;
  if (!fits(rows, std::max(dim_, value_dim_))) {
    return Status(StatusCode::kOutOfMemory, std::to_string(rows) + " rows exceed the address space");
  }
  if (open_arena_ == nullptr || open_arena_->capacity - open_arena_->used < rows) {
    const uint64_t smallest = std::max<uint64_t>(1, kSmallestArena / (dim_ * sizeof(float)));
    const uint64_t doubled = open_arena_ == nullptr ? smallest : open_arena_->capacity * 2;
    auto arena = std::make_shared<Arena>();
    arena->capacity = std::max({rows, smallest, fits(doubled, std::max(dim_, value_dim_)) ? doubled : rows});
    Result<AlignedBuffer> key_rows = AlignedBuffer::allocate(arena->capacity * dim_ * sizeof(float));
    if (!key_rows.ok()) return key_rows.status();
    arena->keys = std::move(key_rows).value();
    if (hetero_) {
      Result<AlignedBuffer> value_rows = AlignedBuffer::allocate(arena->capacity * value_dim_ * sizeof(float));
      if (!value_rows.ok()) return value_rows.status();
      arena->values = std::move(value_rows).value();
    }
    native_bytes_ += arena->bytes();
    open_arena_ = std::move(arena);
  }

  Arena& arena = *open_arena_;
  float* key_rows = arena.keys.as<float>() + arena.used * dim_;
  Status status = copy_finite(key_rows, keys, rows, dim_, "pattern");
  if (!status.ok()) return status;
  const float* value_rows = key_rows;
  if (hetero_) {
    float* to = arena.values.as<float>() + arena.used * value_dim_;
    status = copy_finite(to, values, rows, value_dim_, "value");
    if (!status.ok()) return status;
    value_rows = to;
  }

  auto next = std::make_shared<Snapshot>(*snapshot_);
  if (arena.used > 0 && !next->blocks.empty() && next->blocks.back().owner == open_arena_) {
    next->blocks.back().rows += rows;  // the rows lie right behind the last block's
  } else {
    next->blocks.push_back(
        {.keys = key_rows, .values = value_rows, .first = first, .rows = rows, .owner = open_arena_});
  }
  arena.used += rows;
  next->count += rows;
  next->live += rows;
  snapshot_ = std::move(next);
  return first;
}

Result<uint64_t> Memory::remove(std::span<const uint64_t> indices) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const uint64_t index : indices) {
    if (index >= snapshot_->count) {
      return Status(StatusCode::kRange, "index " + std::to_string(index) + " is out of range; the memory has " +
                                            std::to_string(snapshot_->count) + " items");
    }
  }
  auto bits = snapshot_->removed ? std::make_shared<std::vector<uint64_t>>(*snapshot_->removed)
                                 : std::make_shared<std::vector<uint64_t>>();
  bits->resize((snapshot_->count + 63) / 64);
  uint64_t removed = 0;
  for (const uint64_t index : indices) {
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

std::optional<Calibration> Memory::calibration() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calibration_;
}

void Memory::set_calibration(const Calibration& calibration) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calibration_ = calibration;
}

}  // namespace engram::dense
