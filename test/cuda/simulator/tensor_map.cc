#include "tensor_map.h"

#include <cstring>

#include "defect.h"
#include "faults.h"

namespace engram::simulator {
namespace {

constexpr uint64_t kMark = 0x7465'6E73'6F72'6D70;

static_assert(sizeof(TensorMap) <= sizeof(CUtensorMap));

bool aligned(const void* address, size_t alignment) {
  return reinterpret_cast<uintptr_t>(address) % alignment == 0;
}

// Bytes of a row of boxes that are exchanged with each other.
uint32_t swizzle_bytes(CUtensorMapSwizzle swizzle) { return 16U << swizzle; }

const bool kProvided = [] {
  provide_driver_function("cuTensorMapEncodeTiled", reinterpret_cast<void*>(&cuTensorMapEncodeTiled));
  return true;
}();

}  // namespace

TensorMap read_tensor_map(const CUtensorMap* map) {
  if (!aligned(map, alignof(CUtensorMap))) report_defect("a tensor map is not at a multiple of 64 bytes");
  TensorMap read;
  std::memcpy(&read, map, sizeof read);
  if (read.mark != kMark) report_defect("a tensor map was not encoded");
  return read;
}

}  // namespace engram::simulator

using namespace engram::simulator;

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                                const cuuint32_t* steps, CUtensorMapInterleave interleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                                CUtensorMapFloatOOBfill fill) {
  constexpr uint64_t kMostSize = uint64_t{1} << 32;
  constexpr uint64_t kMostStride = uint64_t{1} << 40;
  constexpr uint32_t kMostBox = 256;
  if (map == nullptr || !aligned(map, alignof(CUtensorMap))) return CUDA_ERROR_INVALID_VALUE;
  if (address == nullptr || !aligned(address, 16)) return CUDA_ERROR_INVALID_VALUE;
  if (rank == 0 || rank > 5 || sizes == nullptr || box == nullptr || steps == nullptr)
    return CUDA_ERROR_INVALID_VALUE;
  const bool of_16_bits = type == CU_TENSOR_MAP_DATA_TYPE_UINT16 || type == CU_TENSOR_MAP_DATA_TYPE_FLOAT16 ||
                          type == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  if (rank != 2 || !of_16_bits || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE ||
      fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  for (uint32_t i = 0; i < rank; ++i) {
    if (sizes[i] == 0 || sizes[i] > kMostSize) return CUDA_ERROR_INVALID_VALUE;
    if (box[i] == 0 || box[i] > kMostBox) return CUDA_ERROR_INVALID_VALUE;
    if (steps[i] == 0 || steps[i] > 8) return CUDA_ERROR_INVALID_VALUE;
    if (steps[i] != 1) return CUDA_ERROR_NOT_SUPPORTED;
  }
  if (strides == nullptr || strides[0] % 16 != 0 || strides[0] >= kMostStride)
    return CUDA_ERROR_INVALID_VALUE;
  const uint32_t box_row_bytes = box[0] * 2;
  if (box_row_bytes % 16 != 0) return CUDA_ERROR_INVALID_VALUE;
  if (swizzle < CU_TENSOR_MAP_SWIZZLE_NONE || swizzle > CU_TENSOR_MAP_SWIZZLE_128B)
    return CUDA_ERROR_INVALID_VALUE;
  if (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && box_row_bytes > swizzle_bytes(swizzle))
    return CUDA_ERROR_INVALID_VALUE;
  if (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && box_row_bytes < swizzle_bytes(swizzle))
    return CUDA_ERROR_NOT_SUPPORTED;
  const TensorMap written{.mark = kMark,
                          .address = static_cast<const std::byte*>(address),
                          .columns = sizes[0],
                          .rows = sizes[1],
                          .row_bytes = strides[0],
                          .box_columns = box[0],
                          .box_rows = box[1],
                          .swizzle = swizzle_bytes(swizzle) / 16 - 1};
  *map = {};
  std::memcpy(map, &written, sizeof written);
  return CUDA_SUCCESS;
}
