// Arrays of the simulated device, and rows and queries in them, for tests of kernels.
#pragma once

#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "cuda/fold.h"
#include "small_floats.h"

namespace engram::cuda::testing {

// An array of the device; poisoned where nothing is given (NaN as a float).
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    const size_t bytes = std::max<size_t>(1, count * sizeof(T));
    REQUIRE(cudaMalloc(reinterpret_cast<void**>(&data_), bytes) == cudaSuccess);
    REQUIRE(cudaMemset(data_, 0xFF, bytes) == cudaSuccess);
  }
  explicit DeviceArray(const std::vector<T>& from) : DeviceArray(from.size()) {
    REQUIRE(cudaMemcpy(data_, from.data(), count_ * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return data_; }
  std::vector<T> read() const {
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    std::vector<T> to(count_);
    REQUIRE(cudaMemcpy(to.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
    return to;
  }

 private:
  size_t count_;
  T* data_ = nullptr;
};

inline constexpr Element kElements[] = {Element::kFloat32, Element::kFloat16, Element::kBfloat16};

inline float stored(float x, Element element) {
  switch (element) {
    case Element::kFloat16: return simulator::f16_value(simulator::f16_bits(x));
    case Element::kBfloat16: return simulator::bf16_value(simulator::bf16_bits(x));
    case Element::kFloat32: break;
  }
  return x;
}

inline uint32_t pitch_for(uint32_t columns, Element element) {
  const uint32_t step = element == Element::kFloat32 ? 4 : 8;
  return (columns + step - 1) / step * step;
}

// Packed rows as the device has them: bytes of rows with their pitch, zeros behind the columns.
inline std::vector<uint8_t> as_stored(const std::vector<float>& packed, uint32_t columns, Element element) {
  const uint32_t pitch = pitch_for(columns, element);
  const size_t bytes = element == Element::kFloat32 ? 4 : 2;
  const size_t count = columns == 0 ? 0 : packed.size() / columns;
  std::vector<uint8_t> rows(count * pitch * bytes, 0);
  for (size_t i = 0; i < packed.size(); ++i) {
    uint8_t* const to = &rows[(i / columns * pitch + i % columns) * bytes];
    if (element == Element::kFloat32) {
      std::memcpy(to, &packed[i], 4);
    } else {
      const uint16_t bits =
          element == Element::kFloat16 ? simulator::f16_bits(packed[i]) : simulator::bf16_bits(packed[i]);
      std::memcpy(to, &bits, 2);
    }
  }
  return rows;
}

struct MemoryShape {
  uint32_t count;
  uint32_t dim;
  uint32_t queries = 1;
  uint32_t width = 0;       // of separate values
  bool reads_keys = false;  // instead
  KeyTerm term = KeyTerm::kNone;
  uint32_t removed_each = 0;  // every so many-th row, from row 0 on
  uint64_t first = 0;
  float magnitude = 1;
};

// A memory of random rows, with queries, on the host and on the device; scores in float64.
class DeviceMemory {
 public:
  DeviceMemory(const MemoryShape& shape_, Element element_, uint32_t seed = 1)
      : shape(shape_),
        element(element_),
        random_(seed),
        keys(numbers(size_t{shape.count} * shape.dim, element)),
        values(shape.reads_keys ? keys : numbers(size_t{shape.count} * shape.width, element)),
        query(numbers(size_t{shape.queries} * shape.dim, Element::kFloat32)),
        removed((shape.first + shape.count + 63) / 64, 0) {
    for (uint32_t i = 0; i < shape.queries; ++i) scale.push_back(1.0F + 0.5F * static_cast<float>(i % 4));
    // Short of the rows, as after store(): it reaches as far as there were items at the last remove().
    const uint32_t known = shape.count - shape.count / 4;
    for (uint32_t j = 0; shape.removed_each > 0 && j < known; j += shape.removed_each) remove(j);
  }

  uint32_t width() const { return shape.reads_keys ? shape.dim : shape.width; }
  void remove(uint32_t row) {
    const uint64_t item = shape.first + row;
    removed[item / 64] |= uint64_t{1} << (item % 64);
    removed_words = std::max(removed_words, item / 64 + 1);
  }
  bool is_removed(uint32_t row) const {
    const uint64_t item = shape.first + row;
    return item / 64 < removed_words && (removed[item / 64] >> (item % 64) & 1) != 0;
  }
  double square_norm(uint32_t row) const {
    double sum = 0;
    for (uint32_t d = 0; d < shape.dim; ++d) sum += std::pow(keys[size_t{row} * shape.dim + d], 2.0);
    return sum;
  }

  // -inf of removed rows. `error`: how far Float32 may be off.
  double score(uint32_t i, uint32_t row, double* error = nullptr) const {
    double dot = 0;
    double size = 0;
    for (uint32_t d = 0; d < shape.dim; ++d) {
      const double product = double{query[size_t{i} * shape.dim + d]} * keys[size_t{row} * shape.dim + d];
      dot += product;
      size += std::abs(product);
    }
    double multiplier = 1;
    double bias = 0;
    if (shape.term == KeyTerm::kHalfSquareNorm) bias = -0.5 * square_norm(row);
    if (shape.term == KeyTerm::kReciprocalNorm) {
      multiplier = square_norm(row) > 0 ? 1 / std::sqrt(square_norm(row)) : 0;
    }
    if (error != nullptr) {
      *error = double{scale[i]} * (multiplier * size + std::abs(bias)) * (0x1p-22 + shape.dim * 0x1p-28);
    }
    if (is_removed(row)) return -std::numeric_limits<double>::infinity();
    return double{scale[i]} * (multiplier * dot + bias);
  }

  // Calls run(rows, queries) and waits for the device.
  template <typename Run>
  void on_device(const Run& run) const {
    const uint32_t pitch = pitch_for(shape.dim, Element::kFloat32);
    const DeviceArray<uint8_t> device_keys(as_stored(keys, shape.dim, element));
    const DeviceArray<uint8_t> device_values(as_stored(values, width(), element));
    std::vector<float> norms(shape.count);
    for (uint32_t j = 0; j < shape.count; ++j) norms[j] = static_cast<float>(square_norm(j));
    const DeviceArray<float> device_norms(norms);
    const DeviceArray<uint64_t> device_removed(removed);
    const DeviceArray<uint8_t> device_queries(as_stored(query, shape.dim, Element::kFloat32));
    const DeviceArray<float> device_scale(scale);
    Rows rows;
    rows.keys = device_keys.get();
    rows.values = shape.reads_keys || shape.width == 0 ? rows.keys : device_values.get();
    rows.square_norms = device_norms.get();
    if (std::any_of(removed.begin(), removed.end(), [](uint64_t word) { return word != 0; })) {
      rows.removed = device_removed.get();
      rows.removed_bits = removed_words * 64;
    }
    rows.first = shape.first;
    rows.count = shape.count;
    rows.dim = shape.dim;
    rows.key_pitch = pitch_for(shape.dim, element);
    rows.width = width();
    rows.value_pitch = rows.values == rows.keys ? rows.key_pitch : pitch_for(shape.width, element);
    rows.element = element;
    rows.term = shape.term;
    const Queries queries{.data = reinterpret_cast<const float*>(device_queries.get()),
                          .scale = device_scale.get(),
                          .count = shape.queries,
                          .pitch = pitch};
    run(rows, queries);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  }

  const MemoryShape shape;
  const Element element;

 private:
  std::vector<float> numbers(size_t count, Element as) {
    std::uniform_real_distribution<float> uniform(-shape.magnitude, shape.magnitude);
    std::vector<float> x(count);
    for (float& number : x) number = stored(uniform(random_), as);
    return x;
  }
  std::mt19937 random_;

 public:
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> query;
  std::vector<float> scale;
  std::vector<uint64_t> removed;
  uint64_t removed_words = 0;  // of them that the device knows
};

}  // namespace engram::cuda::testing
