// A row-major matrix somebody else owns.
#pragma once

#include <cassert>
#include <cstddef>

namespace engram {

// rows x cols elements of T; row i starts at data + i * stride. The viewer neither owns nor frees.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;  // in elements, >= cols

  MatrixView() = default;
  MatrixView(T* data_, size_t rows_, size_t cols_) : MatrixView(data_, rows_, cols_, cols_) {}
  MatrixView(T* data_, size_t rows_, size_t cols_, size_t stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {
    assert(stride_ >= cols_);
  }
  // A view of mutable elements is also a view of constant ones.
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }  // NOLINT

  T* row(size_t i) const {
    assert(i < rows);
    return data + i * stride;
  }
  T& at(size_t i, size_t j) const {
    assert(j < cols);
    return row(i)[j];
  }
  // Rows [first, first + count).
  MatrixView slice(size_t first, size_t count) const {
    assert(first + count <= rows);
    return {data + first * stride, count, cols, stride};
  }
};

}  // namespace engram
