// Instructions of cuda/hopper_ptx.h against plain definitions.
#include <cuda/hopper_ptx.h>
#include <cuda/launch.h>
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "defect.h"
#include "faults.h"
#include "tensor_map.h"

using namespace engram::cuda;
using engram::simulator::Defect;
using engram::simulator::DefectsThrow;
using engram::simulator::Grid;
using engram::simulator::run_grid;

namespace {

constexpr uint32_t kGroup = 128;
constexpr uint32_t kBoxColumns = 64;

std::string defect_of(const Grid& grid, const std::function<void()>& kernel) {
  const DefectsThrow throwing;
  try {
    run_grid(grid, kernel);
  } catch (const Defect& defect) {
    return defect.what();
  }
  return "";
}
bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

using Encode = decltype(&cuTensorMapEncodeTiled);
Encode encode_function() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  REQUIRE(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault,
                                           &found) == cudaSuccess);
  REQUIRE(found == cudaDriverEntryPointSuccess);
  return reinterpret_cast<Encode>(function);
}

// A matrix of small integers, exact in both types and any order, and the map of its boxes.
struct Matrix {
  uint32_t rows;
  uint32_t columns;
  uint32_t pitch;
  std::vector<float> values;
  std::vector<uint16_t> storage;  // of which 16-byte aligned rows begin at `first`
  const uint16_t* first;
  CUtensorMap map{};

  Matrix(uint32_t of_rows, uint32_t of_columns, uint32_t box_rows, bool bf16, uint32_t seed)
      : rows(of_rows),
        columns(of_columns),
        pitch((of_columns + 7) / 8 * 8),
        values(size_t{rows} * columns),
        storage(size_t{rows} * pitch + 8, 0x7FFF),  // NaN between the rows
        first(storage.data()) {
    while (reinterpret_cast<uintptr_t>(first) % 16 != 0) ++first;
    std::mt19937 random(seed);
    for (float& x : values) x = static_cast<float>(static_cast<int>(random() % 17) - 8);
    for (uint32_t i = 0; i < rows; ++i) {
      for (uint32_t j = 0; j < columns; ++j) {
        const float x = at(i, j);
        const_cast<uint16_t&>(first[size_t{i} * pitch + j]) =
            static_cast<uint16_t>(bf16 ? pack_bf16(x, 0) : pack_f16(x, 0));
      }
    }
    const cuuint64_t sizes[2] = {columns, rows};
    const cuuint64_t strides[1] = {uint64_t{pitch} * 2};
    const cuuint32_t box[2] = {kBoxColumns, box_rows};
    const cuuint32_t steps[2] = {1, 1};
    REQUIRE(encode_function()(&map, bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                              2, const_cast<uint16_t*>(first), sizes, strides, box, steps,
                              CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                              CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS);
  }
  // Zero outside.
  float at(int64_t row, int64_t column) const {
    return row < 0 || row >= rows || column < 0 || column >= columns
               ? 0
               : values[static_cast<size_t>(row) * columns + static_cast<size_t>(column)];
  }
  uint16_t bits_at(int64_t row, int64_t column) const {
    return row < 0 || row >= rows || column < 0 || column >= columns ? 0 : first[row * pitch + column];
  }
};

void begin_barrier_for_all(uint64_t* barrier, uint32_t arrivals) {
  if (threadIdx.x == 0) {
    begin_barrier(barrier, arrivals);
    publish_barriers();
  }
  __syncthreads();
}

}  // namespace

TEST_CASE("tensor maps are encoded as the driver does it, and refused so") {
  const Encode encode = encode_function();
  alignas(16) static uint16_t rows[64 * 64];
  CUtensorMap map{};
  struct Arguments {
    std::byte* address = reinterpret_cast<std::byte*>(rows);
    cuuint64_t sizes[2] = {64, 64};
    cuuint64_t stride = 128;
    cuuint32_t box[2] = {64, 32};
    cuuint32_t steps[2] = {1, 1};
    CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  };
  const auto result = [&](const Arguments& a) {
    return encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, a.address, a.sizes, &a.stride, a.box, a.steps,
                  CU_TENSOR_MAP_INTERLEAVE_NONE, a.swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  };
  const auto refuses = [&](const std::function<void(Arguments&)>& change) {
    Arguments a;
    change(a);
    return result(a) == CUDA_ERROR_INVALID_VALUE;
  };
  CHECK(result({}) == CUDA_SUCCESS);
  CHECK(refuses([](Arguments& a) { a.address += 8; }));
  CHECK(refuses([](Arguments& a) { a.address = nullptr; }));
  CHECK(refuses([](Arguments& a) { a.stride = 136; }));
  CHECK(refuses([](Arguments& a) { a.sizes[1] = 0; }));
  CHECK(refuses([](Arguments& a) { a.box[1] = 257; }));
  CHECK(refuses([](Arguments& a) { a.box[1] = 0; }));
  CHECK(refuses([](Arguments& a) { a.box[0] = 72; }));  // 144 bytes
  CHECK(refuses([](Arguments& a) { a.steps[0] = 0; }));
  Arguments plain;
  plain.swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
  plain.box[0] = 72;
  CHECK(result(plain) == CUDA_SUCCESS);
}

TEST_CASE("phases of a barrier end with arrivals and bytes") {
  run_grid({dim3(4), dim3(64), 64}, [] {
    auto* const shared = dynamic_shared<uint64_t>();
    auto* const word = reinterpret_cast<uint32_t*>(shared + 4);
    begin_barrier_for_all(shared, 32);
    await(shared, 1);  // of a fresh one: at once
    __syncthreads();
    for (uint32_t phase = 0; phase < 3; ++phase) {
      if (threadIdx.x < 32) {
        if (threadIdx.x == 7) *word = phase;
        arrive(shared);
      } else {
        await(shared, phase & 1);
        CHECK(*word == phase);
      }
      __syncthreads();
    }
  });
  const Grid one{dim3(1), dim3(32), 64};
  CHECK(says(defect_of(one, [] { arrive(dynamic_shared<uint64_t>()); }), "not initialized"));
  CHECK(says(defect_of(one,
                       [] {
                         begin_barrier_for_all(dynamic_shared<uint64_t>(), 33);
                         arrive(dynamic_shared<uint64_t>());
                         await(dynamic_shared<uint64_t>(), 0);
                       }),
             "deadlock"));
  CHECK(says(defect_of(one,
                       [] {
                         begin_barrier_for_all(dynamic_shared<uint64_t>(), 1);
                         if (threadIdx.x == 0) arrive_expecting(dynamic_shared<uint64_t>(), 16);
                         await(dynamic_shared<uint64_t>(), 0);
                       }),
             "a phase of a barrier"));
}

TEST_CASE("boxes come swizzled, with zeros outside of the matrix, when they are waited for") {
  const Matrix matrix(37, 100, 16, true, 1);
  constexpr uint32_t kBytes = 16 * 128;
  const int32_t places[][2] = {{0, 0}, {32, 64}, {5, 90}, {-3, -8}, {40, 0}};  // row, column
  for (const auto& place : places) {
    for (const uint32_t at : {0U, 1024U + 128U}) {  // the swizzle goes by the address
      run_grid({dim3(1), dim3(64), 4096}, [&] {
        char* const tile = dynamic_shared<char>() + at;
        auto* const barrier = reinterpret_cast<uint64_t*>(dynamic_shared<char>() + 4088);
        begin_barrier_for_all(barrier, 1);
        if (threadIdx.x == 0) {
          arrive_expecting(barrier, kBytes);
          std::memset(tile, 1, kBytes);
          copy_box(tile, &matrix.map, place[1], place[0], barrier);
          CHECK(tile[77] == -1);
        }
        await(barrier, 0);
        for (uint32_t i = threadIdx.x; i < 16 * 64; i += 64) {
          const uint32_t offset = at + i / 64 * 128 + i % 64 * 2;
          uint16_t element;
          std::memcpy(&element, dynamic_shared<char>() + (offset ^ (offset >> 7 & 7) << 4), 2);
          CHECK(element == matrix.bits_at(place[0] + i / 64, place[1] + i % 64));
        }
      });
    }
  }
}

TEST_CASE("mistakes with copies of boxes are found") {
  const Matrix matrix(16, 64, 16, true, 2);
  const auto copy = [&](bool publish, uint32_t at, bool wait, const CUtensorMap& map) {
    return defect_of({dim3(1), dim3(32), 8192}, [&] {
      auto* const barrier = reinterpret_cast<uint64_t*>(dynamic_shared<char>() + 8184);
      if (threadIdx.x != 0) return;
      begin_barrier(barrier, 1);
      if (publish) publish_barriers();
      arrive_expecting(barrier, 2048);
      copy_box(dynamic_shared<char>() + at, &map, 0, 0, barrier);
      if (wait) await(barrier, 0);
    });
  };
  CHECK(copy(true, 0, true, matrix.map).empty());
  CHECK(says(copy(false, 0, true, matrix.map), "not published"));
  CHECK(says(copy(true, 64, true, matrix.map), "no multiple of 128"));
  CHECK(says(copy(true, 0, false, matrix.map), "nobody waited for"));
  CHECK(says(copy(true, 0, true, CUtensorMap{}), "was not encoded"));
}

namespace {

// Row and column of accumulator i of a thread of a warpgroup.
uint32_t row_of(uint32_t i) { return threadIdx.x % kGroup / 32 * 16 + threadIdx.x % 32 / 4 + i % 4 / 2 * 8; }
uint32_t column_of(uint32_t i) { return i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2; }

// The two sides of a product of 64 x 128 over `depth`, both of rows that are summed over.
template <bool kBfloat16>
void check_along_rows(uint32_t depth, bool accumulate) {
  const uint32_t boxes = (depth + kBoxColumns - 1) / kBoxColumns;
  const Matrix a(61, depth, 64, kBfloat16, 3);
  const Matrix b(125, depth, 128, kBfloat16, 4);
  const uint32_t a_bytes = 64 * 128;
  const uint32_t b_bytes = 128 * 128;
  const uint32_t bytes = boxes * (a_bytes + b_bytes);
  run_grid({dim3(1), dim3(2 * kGroup), bytes + 8}, [&] {
    char* const shared = dynamic_shared<char>();
    auto* const barrier = reinterpret_cast<uint64_t*>(shared + bytes);
    begin_barrier_for_all(barrier, 1);
    if (threadIdx.x == 0) {
      arrive_expecting(barrier, bytes);
      for (uint32_t box = 0; box < boxes; ++box) {
        copy_box(shared + box * a_bytes, &a.map, static_cast<int32_t>(box * kBoxColumns), 0, barrier);
        copy_box(shared + boxes * a_bytes + box * b_bytes, &b.map, static_cast<int32_t>(box * kBoxColumns), 0,
                 barrier);
      }
    }
    await(barrier, 0);
    float d[64];
    for (float& x : d) x = 100;
    fence_products();
    for (uint32_t k = 0; k < depth; k += 16) {
      const uint32_t box = k / kBoxColumns;
      const uint32_t step = k % kBoxColumns * 2;
      multiply_shared<kBfloat16>(d, operand(shared + box * a_bytes + step, 16),
                                 operand(shared + boxes * a_bytes + box * b_bytes + step, 16),
                                 accumulate || k > 0 ? 1 : 0);
    }
    close_products();
    CHECK(d[5] != d[5]);  // not waited for
    wait_for_products<0>();
    for (uint32_t i = 0; i < 64; ++i) {
      float expected = accumulate ? 100 : 0;
      for (uint32_t k = 0; k < depth; ++k) expected += a.at(row_of(i), k) * b.at(column_of(i), k);
      if (d[i] != expected) CHECK(d[i] == expected);
    }
  });
}

// A product of 64 x 2 kCount over `depth` rows of b, a from registers.
template <bool kBfloat16, uint32_t kCount>
void check_down_rows(uint32_t depth) {
  const uint32_t columns = 2 * kCount;
  const uint32_t boxes = columns / kBoxColumns;
  const Matrix a(64, depth, 64, kBfloat16, 5);
  const Matrix b(depth, columns - 3, depth, kBfloat16, 6);
  const uint32_t box_bytes = depth * 128;
  run_grid({dim3(1), dim3(kGroup), boxes * box_bytes + 8}, [&] {
    char* const shared = dynamic_shared<char>();
    auto* const barrier = reinterpret_cast<uint64_t*>(shared + boxes * box_bytes);
    begin_barrier_for_all(barrier, 1);
    if (threadIdx.x == 0) {
      arrive_expecting(barrier, boxes * box_bytes);
      for (uint32_t box = 0; box < boxes; ++box) {
        copy_box(shared + box * box_bytes, &b.map, static_cast<int32_t>(box * kBoxColumns), 0, barrier);
      }
    }
    await(barrier, 0);
    const auto pack = kBfloat16 ? pack_bf16 : pack_f16;
    uint32_t fragments[8][4];
    float d[kCount];
    for (float& x : d) x = 1;
    for (uint32_t step = 0; step < depth / 16; ++step) {
      for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t row = row_of(i % 2 * 2);
        const uint32_t k = step * 16 + threadIdx.x % 4 * 2 + i / 2 * 8;
        fragments[step][i] = pack(a.at(row, k), a.at(row, k + 1));
      }
    }
    fence_products();
    for (uint32_t step = 0; step < depth / 16; ++step) {
      multiply_registers<kBfloat16>(d, fragments[step], operand(shared + step * 2048, box_bytes));
    }
    close_products();
    wait_for_products<0>();
    for (uint32_t i = 0; i < kCount; ++i) {
      float expected = 1;
      for (uint32_t k = 0; k < depth; ++k) expected += a.at(row_of(i), k) * b.at(k, column_of(i));
      if (d[i] != expected) CHECK(d[i] == expected);
    }
  });
}

}  // namespace

TEST_CASE("products of operands along rows are those of the matrices") {
  for (const bool accumulate : {false, true}) {
    check_along_rows<true>(16, accumulate);
    check_along_rows<true>(64, accumulate);
    check_along_rows<false>(128, accumulate);
  }
}

TEST_CASE("products of registers and an operand down rows are those of the matrices") {
  check_down_rows<true, 32>(16);
  check_down_rows<false, 32>(128);
  check_down_rows<true, 64>(128);
  check_down_rows<false, 64>(48);
}

TEST_CASE("groups of products are done in turn") {
  run_grid({dim3(1), dim3(kGroup), 1024 * 16}, [] {
    auto* const shared = dynamic_shared<uint32_t>();
    for (uint32_t i = threadIdx.x; i < 1024 * 4; i += kGroup) shared[i] = pack_bf16(1, 1);
    __syncthreads();
    const uint64_t ones = operand(shared, 16);
    float first[64] = {};
    float second[64] = {};
    fence_products();
    multiply_shared<true>(first, ones, ones, 0);
    close_products();
    multiply_shared<true>(second, ones, ones, 0);
    close_products();
    wait_for_products<1>();
    CHECK(first[63] == 16);
    CHECK(second[63] != second[63]);
    first[0] = 3;
    wait_for_products<0>();
    CHECK(first[0] == 3);
    CHECK(second[63] == 16);
  });
}

TEST_CASE("an operand that is given up before its product is done shows") {
  for (const bool early : {false, true}) {
    for (int order = 0; order < 4; ++order) {
      run_grid({dim3(1), dim3(2 * kGroup), 1024 * 16 + 8}, [early] {
        auto* const shared = dynamic_shared<uint32_t>();
        auto* const given_up = reinterpret_cast<uint64_t*>(shared + 1024 * 4);
        for (uint32_t i = threadIdx.x; i < 1024 * 4; i += 2 * kGroup) shared[i] = pack_bf16(1, 1);
        begin_barrier_for_all(given_up, kGroup);
        if (threadIdx.x >= kGroup) {
          await(given_up, 0);
          for (uint32_t i = threadIdx.x - kGroup; i < 1024 * 4; i += kGroup) shared[i] = 0;
          return;
        }
        float d[64] = {};
        fence_products();
        multiply_shared<true>(d, operand(shared, 16), operand(shared, 16), 0);
        close_products();
        if (early) arrive(given_up);
        wait_for_products<0>();
        if (!early) arrive(given_up);
        CHECK(d[9] == (early ? 0 : 16));
      });
    }
  }
}

TEST_CASE("mistakes with products are found") {
  const auto with_ones = [](uint32_t threads, const std::function<void(uint64_t, float(&)[64])>& work) {
    return defect_of({dim3(1), dim3(threads), 1024 * 16}, [&] {
      auto* const shared = dynamic_shared<uint32_t>();
      for (uint32_t i = threadIdx.x; i < 1024 * 4; i += blockDim.x) shared[i] = pack_bf16(1, 1);
      __syncthreads();
      float d[64] = {};
      work(operand(shared, 16), d);
    });
  };
  using Sums = float(&)[64];
  CHECK(with_ones(kGroup, [](uint64_t ones, Sums d) {
          fence_products();
          multiply_shared<true>(d, ones, ones, 0);
          close_products();
          wait_for_products<0>();
        }).empty());
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         multiply_shared<true>(d, ones, ones, 0);
                         close_products();
                         wait_for_products<0>();
                       }),
             "without a fence"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         fence_products();
                         multiply_shared<true>(d, ones, ones, 0);
                         close_products();
                         d[3] *= 2;
                         wait_for_products<0>();
                       }),
             "accumulators were written"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         uint32_t a[4] = {};
                         fence_products();
                         multiply_registers<true>(d, a, ones);
                         close_products();
                         a[2] = 1;
                         wait_for_products<0>();
                       }),
             "registers of an operand were written"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         fence_products();
                         multiply_shared<true>(d, ones, ones, 0);
                         wait_for_products<0>();  // of no group
                       }),
             "nobody waited for"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         fence_products();
                         if (threadIdx.x < 96) multiply_shared<true>(d, ones, ones, 0);
                         close_products();
                         wait_for_products<0>();
                       }),
             "different instructions"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         if (threadIdx.x >= 96) return;
                         fence_products();
                         multiply_shared<true>(d, ones, ones, 0);
                         close_products();
                         wait_for_products<0>();
                       }),
             "the other warps of its warpgroup"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         fence_products();
                         multiply_shared<true>(d, ones ^ 3ULL << 62, ones, 0);
                         close_products();
                         wait_for_products<0>();
                       }),
             "not swizzled"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t ones, Sums d) {
                         fence_products();
                         multiply_shared<true>(d, ones, ones + 64, 0);
                         close_products();
                         wait_for_products<0>();
                       }),
             "leaves the shared memory"));
  CHECK(says(with_ones(64, [](uint64_t, Sums) { fence_products(); }), "not whole"));
  CHECK(says(with_ones(kGroup,
                       [](uint64_t, Sums) {
                         if (threadIdx.x < 32) take_registers<232>();
                       }),
             "a warp ended without"));
  CHECK(with_ones(kGroup, [](uint64_t, Sums) { give_registers<40>(); }).empty());
}
