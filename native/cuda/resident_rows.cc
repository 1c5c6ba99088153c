#include "cuda/resident_rows.h"

#include <memory>
#include <utility>

namespace engram::cuda {

size_t element_bytes(Element element) { return element == Element::kFloat32 ? 4 : 2; }

uint32_t pitch_of(uint32_t width, Element element) {
  const auto step = static_cast<uint32_t>(kRowAlignment / element_bytes(element));
  return (width + step - 1) / step * step;
}

RowArrays RowShape::cut(Cutter& cutter, uint64_t count) const {
  RowArrays arrays;
  arrays.keys = cutter.take<std::byte>(count * key_pitch() * element_bytes(element));
  if (width != 0) arrays.values = cutter.take<std::byte>(count * value_pitch() * element_bytes(element));
  arrays.square_norms = cutter.take<float>(count);
  return arrays;
}

RowArrays RowArrays::from(const RowShape& shape, uint64_t row) const {
  const size_t bytes = element_bytes(shape.element);
  RowArrays rest;
  rest.keys = static_cast<std::byte*>(keys) + row * shape.key_pitch() * bytes;
  if (shape.width != 0) rest.values = static_cast<std::byte*>(values) + row * shape.value_pitch() * bytes;
  rest.square_norms = square_norms + row;
  return rest;
}

Rows RowShape::view(const RowArrays& arrays, uint64_t row, uint64_t first, uint32_t count, bool readout,
                    bool read_keys) const {
  const RowArrays from = arrays.from(*this, row);
  const bool separate = readout && !read_keys && width != 0;  // not told by addresses: they may be null
  Rows rows;
  rows.keys = from.keys;
  rows.values = separate ? from.values : from.keys;
  rows.square_norms = from.square_norms;
  rows.first = first;
  rows.count = count;
  rows.dim = dim;
  rows.key_pitch = key_pitch();
  rows.value_pitch = separate ? value_pitch() : key_pitch();
  if (readout) rows.width = separate ? width : dim;
  rows.element = element;
  return rows;
}

Result<ResidentRows*> ResidentRows::create(uint32_t device, const EngramRowsLayout& layout) {
  std::unique_ptr<ResidentRows> rows(new ResidentRows());
  rows->device_ = device;
  rows->capacity_ = layout.capacity;
  rows->shape_ = {.dim = layout.dim, .width = layout.width, .element = static_cast<Element>(layout.element)};
  Cutter counted;
  rows->shape_.cut(counted, layout.capacity);
  Result<Buffer> buffer = Buffer::allocate(Buffer::Kind::kDevice, device, counted.used(), "stored rows");
  if (!buffer.ok()) return buffer.status();
  rows->buffer_ = std::move(buffer).value();
  Cutter cutter(rows->buffer_.as<void>());
  rows->arrays_ = rows->shape_.cut(cutter, layout.capacity);
  return rows.release();
}

void ResidentRows::note_square_norm(float found) noexcept {
  float known = largest_square_norm_.load(std::memory_order_relaxed);
  while (found > known &&
         !largest_square_norm_.compare_exchange_weak(known, found, std::memory_order_relaxed)) {
  }
}

}  // namespace engram::cuda
