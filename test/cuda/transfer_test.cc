// Arrays on their way to the simulated device and back.
#include "cuda/transfer.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "cuda/lane.h"
#include "device_arrays.h"
#include "faults.h"

namespace engram::cuda {
namespace {

using testing::DeviceArray;

void copy(void* to, const void* from, uint64_t bytes) { std::memcpy(to, from, bytes); }
std::unique_ptr<Lane> open_lane() { return std::move(Lane::open(0, &copy)).value(); }

std::vector<uint32_t> numbers(size_t count, uint32_t first) {
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), first);
  return all;
}

constexpr size_t kPiece = Transfer::kPieceBytes / sizeof(uint32_t);

TEST_CASE("arrays of any length arrive as they are, and come back") {
  for (const bool reserved : {false, true}) {
    const std::unique_ptr<Lane> lane = open_lane();
    for (const size_t count : {size_t{0}, size_t{1}, size_t{16384}, size_t{16385}, kPiece - 1, kPiece,
                               kPiece + 1, 2 * kPiece + 7, 3 * kPiece}) {
      CAPTURE(reserved);
      CAPTURE(count);
      if (reserved) REQUIRE(lane->transfer().reserve(count * sizeof(uint32_t)).ok());
      const DeviceArray<uint32_t> there(count);
      REQUIRE(cudaDeviceSynchronize() == cudaSuccess);  // it is poisoned in another stream
      std::vector<uint32_t> sent = numbers(count, 1);
      const std::vector<uint32_t> kept = sent;
      REQUIRE(lane->transfer().send(there.get(), sent.data(), count) == cudaSuccess);
      if (reserved) std::fill(sent.begin(), sent.end(), 0);  // it has been read
      std::vector<uint32_t> fetched(count);
      REQUIRE(lane->transfer().fetch(fetched.data(), there.get(), count) == cudaSuccess);
      REQUIRE(cudaStreamSynchronize(lane->stream().get()) == cudaSuccess);
      CHECK(fetched == kept);
    }
  }
}

TEST_CASE("arrays and rows take turns in the same staging") {
  const std::unique_ptr<Lane> lane = open_lane();
  Transfer& transfer = lane->transfer();
  constexpr uint32_t kWidth = 4;
  constexpr size_t kCount = 40000;
  REQUIRE(transfer.reserve(kCount * sizeof(uint32_t)).ok());
  const DeviceArray<uint32_t> array(kCount);
  const DeviceArray<float> rows(kCount * kWidth);
  std::vector<float> row_numbers(kCount * kWidth);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  std::iota(row_numbers.begin(), row_numbers.end(), 0.0F);
  for (uint32_t turn = 0; turn < 4; ++turn) {
    const std::vector<uint32_t> sent = numbers(kCount, turn);
    std::vector<uint32_t> fetched(kCount);
    REQUIRE(transfer.send(array.get(), sent.data(), kCount) == cudaSuccess);
    REQUIRE(transfer
                .send_rows(row_numbers.data(), kCount, kWidth, rows.get(), kWidth, Element::kFloat32, nullptr,
                           nullptr)
                .ok());
    REQUIRE(transfer.fetch(fetched.data(), array.get(), kCount) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(lane->stream().get()) == cudaSuccess);
    CHECK(fetched == sent);
    CHECK(rows.read() == row_numbers);
  }
}

TEST_CASE("where pinned memory is refused, an array goes without or its call ends") {
  const simulator::MachineScope scope({.fail_pinned = 1});
  const std::unique_ptr<Lane> lane = open_lane();
  const std::vector<uint32_t> sent = numbers(100'000, 5);
  const Status refused = lane->transfer().reserve(sent.size() * sizeof(uint32_t));
  CHECK(refused.code() == StatusCode::kOutOfMemory);
  CHECK(refused.message().find("pinned host memory") != std::string::npos);
  const DeviceArray<uint32_t> there(sent.size());
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  REQUIRE(lane->transfer().send(there.get(), sent.data(), sent.size()) == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(lane->stream().get()) == cudaSuccess);
  CHECK(there.read() == sent);
}

}  // namespace
}  // namespace engram::cuda
