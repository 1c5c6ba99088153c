// Search on devices that round: exact all the same, with no pass more than that takes.
#include <doctest/doctest.h>

#include <cmath>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "dense/requests.h"
#include "rounded_device.h"

namespace engram::dense {
namespace {

using engine::Arithmetic;
using engine::DeviceOptions;
using engine::Storage;
using testing::RoundedDevice;

std::shared_ptr<Memory> memory_of(const std::vector<float>& rows, size_t dim, const RoundedDevice& device,
                                  const DeviceOptions& options) {
  std::shared_ptr<Memory> memory = std::move(Memory::create(dim)).value();
  REQUIRE(memory->append(rows.data(), nullptr, rows.size() / dim).ok());
  REQUIRE(memory->place({.backend = &device, .options = options}).ok());
  return memory;
}

std::vector<uint32_t> found(const std::shared_ptr<Memory>& memory, const std::vector<float>& queries,
                            Similarity similarity, uint32_t k) {
  const uint64_t count = queries.size() / memory->dim();
  std::vector<uint32_t> indices(count * k);
  std::vector<float> scores(count * k);
  REQUIRE(search_sync(memory, queries.data(), count, similarity, k, {indices.data(), scores.data()}).ok());
  return indices;
}

// Along one direction, so that a score is the row's length; with the sums of so long rows a device may be
// further off than by the rounding of the elements.
TEST_CASE("the bound that proves a search counts what Float32 loses in the sums of long rows") {
  constexpr size_t kDim = 16384;
  constexpr double kRounded = 0x1p-10;
  constexpr double kSums = kDim * 0x1p-23;  // twice as much
  const auto element = static_cast<float>(1 / std::sqrt(static_cast<double>(kDim)));
  std::vector<float> rows;
  for (int item = 0; item < 60; ++item) {
    rows.insert(rows.end(), kDim, element * (item == 0 ? 1.0F : item == 1 ? 0.9999F : 0.999F));
  }
  // The best item falls behind all others, the second one is far before them.
  const RoundedDevice device([](uint64_t item) {
    constexpr double kMost = 0.95 * (kRounded + kSums);
    return item == 0 ? -kMost : item == 1 ? kMost : 0.0;
  });
  const auto memory = memory_of(rows, kDim, device, {.arithmetic = Arithmetic::kTf32});
  const std::vector<float> query(kDim, element);
  CHECK(found(memory, query, Similarity::kDot, 1) == std::vector<uint32_t>{0});
}

TEST_CASE("a search that its first pass proves takes one, else two, and the second is in Float32") {
  const std::vector<float> queries = reference::random_floats(10 * 8, 4);
  for (const bool close : {false, true}) {
    std::vector<float> rows = reference::random_floats(300 * 8, 3);
    if (close) {
      for (float& x : rows) x = 1 + 1e-3F * x;
    }
    const RoundedDevice device;
    found(memory_of(rows, 8, device, {.storage = Storage::kBfloat16}), queries, Similarity::kDot, 2);
    REQUIRE(device.asked().size() == (close ? 2 : 1));
    CHECK_FALSE(device.asked()[0].in_float32);
    CHECK(device.asked()[0].k == 4 * 2 + 32);
    if (!close) continue;
    CHECK(device.asked()[1].in_float32);
    CHECK(device.asked()[1].k == 2);
  }
}

TEST_CASE("where a rounded pass could prove nothing there is only the one in Float32") {
  const std::vector<float> rows = reference::random_floats(1500 * 4, 5);
  const std::vector<float> query = reference::random_floats(4, 6);
  const auto asks = [&](Similarity similarity, Storage storage, uint32_t k, uint64_t count) {
    const RoundedDevice device;
    const std::vector<float> some(rows.begin(), rows.begin() + static_cast<int64_t>(count * 4));
    found(memory_of(some, 4, device, {.storage = storage}), query, similarity, k);
    REQUIRE(device.asked().size() == 1);
    return device.asked()[0].in_float32;
  };
  CHECK(asks(Similarity::kCosine, Storage::kFloat16, 3, 1500));
  CHECK(asks(Similarity::kDot, Storage::kBfloat16, engine::kMostDeviceK, 1500));
  CHECK(asks(Similarity::kDot, Storage::kBfloat16, engine::kMostDeviceK + 1, 1500));
  // All items are found, whatever their scores.
  CHECK_FALSE(asks(Similarity::kDot, Storage::kBfloat16, 20, 20));
  CHECK_FALSE(asks(Similarity::kCosine, Storage::kFloat16, 20, 20));
}

TEST_CASE("progress leaves room for the second pass") {
  const std::vector<float> rows(200 * 4, 0.5F);  // equal scores: nothing is proved
  const RoundedDevice device({}, std::chrono::milliseconds(120));
  const auto memory = memory_of(rows, 4, device, {.storage = Storage::kBfloat16});
  const std::vector<float> queries(2 * 4, 1.0F);
  std::vector<uint32_t> indices(2);
  std::vector<float> scores(2);
  std::vector<std::pair<uint64_t, uint64_t>> reports;
  std::promise<Status> ended;
  runtime::CallOptions call;
  call.on_progress = [&](uint64_t done, uint64_t total) { reports.emplace_back(done, total); };
  const auto ticket = search(memory, queries.data(), 2, Similarity::kDot, 1, {indices.data(), scores.data()},
                             std::move(call), [&](const Status& status) { ended.set_value(status); });
  REQUIRE(ticket.ok());
  REQUIRE(ended.get_future().get().ok());
  CHECK(device.asked().size() == 2);
  REQUIRE(reports.size() >= 2);
  CHECK(reports.front() == std::pair<uint64_t, uint64_t>{400, 800});
  CHECK(reports.back() == std::pair<uint64_t, uint64_t>{800, 800});
}

TEST_CASE("associations of more items than a device selects, and calibration, ask for Float32 throughout") {
  const std::vector<float> rows = reference::random_floats(1100 * 4, 7);
  const std::vector<float> query = reference::random_floats(4, 8);
  for (const bool many : {false, true}) {
    const RoundedDevice device;
    const auto memory = memory_of(rows, 4, device, {.storage = Storage::kFloat16});
    AssociationOutputs out;
    REQUIRE(association_sync(memory, query.data(), 1, {}, many ? 1025 : 1024, out).ok());
    REQUIRE(device.asked().size() == 2);
    for (const RoundedDevice::Asked& asked : device.asked()) CHECK(asked.in_float32 == many);
    for (const float weight : out.weights) CHECK(weight <= 1);
  }
  const RoundedDevice device;
  Calibration calibration;
  REQUIRE(
      calibrate_sync(memory_of(rows, 4, device, {.storage = Storage::kFloat16}), {.sample = 20}, calibration)
          .ok());
  CHECK(device.asked().size() > 2);
  for (const RoundedDevice::Asked& asked : device.asked()) CHECK(asked.in_float32);
}

}  // namespace
}  // namespace engram::dense
