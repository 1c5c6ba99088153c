// Selection of the best items by a block, on the simulated device.
#include "cuda/select.h"

#include <doctest/doctest.h>

#include <functional>

#include "cuda/launch.h"
#include "device_arrays.h"

namespace engram::cuda {
namespace {

using testing::DeviceArray;

__global__ void sort_kernel(Ranked* items, uint32_t count) {
  Ranked* const shared = dynamic_shared<Ranked>();
  for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) shared[i] = items[i];
  sort_best_first(shared, count);
  for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) items[i] = shared[i];
}

// Offers `count` items of each query, a thread one of them in each step.
__global__ void best_kernel(const Ranked* items, uint32_t count, const float* floor, uint32_t queries,
                            uint32_t k, Ranked* out) {
  const BestItems best(dynamic_shared<Ranked>(), queries, k, best_capacity(k, 2 * blockDim.x));
  best.begin(floor);
  uint32_t steps = 0;
  for (uint32_t first = 0; first < count; first += blockDim.x) {
    if (steps == 0) steps = best.meet(blockDim.x);
    --steps;
    const uint32_t item = first + threadIdx.x;
    for (uint32_t q = 0; q < queries && item < count; ++q) best.offer(q, items[q * count + item]);
  }
  best.write(out);
}

std::vector<Ranked> random_items(size_t count, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<Ranked> items(count);
  for (uint32_t i = 0; i < count; ++i) items[i] = rank(std::round(normal(random) * 16), i);
  std::shuffle(items.begin(), items.end(), random);
  return items;
}

void check_best(uint32_t count, uint32_t k, uint32_t queries, uint32_t threads, bool with_floor) {
  CAPTURE(count);
  CAPTURE(k);
  CAPTURE(queries);
  CAPTURE(threads);
  std::mt19937 random(count + k);
  const std::vector<Ranked> items = random_items(size_t{count} * queries, random);
  const DeviceArray<Ranked> offered(items);
  const DeviceArray<Ranked> out(size_t{k} * queries);
  const DeviceArray<float> floor(std::vector<float>(queries, 3.0F));
  const Shape shape{.grid = dim3(1),
                    .block = dim3(threads),
                    .shared_bytes = best_bytes(queries, best_capacity(k, 2 * threads))};
  REQUIRE(launch(best_kernel, shape, nullptr, offered.get(), count, with_floor ? floor.get() : nullptr,
                 queries, k, out.get()) == cudaSuccess);
  const std::vector<Ranked> found = out.read();
  for (uint32_t q = 0; q < queries; ++q) {
    std::vector<Ranked> expected(items.begin() + q * count, items.begin() + (q + 1) * count);
    if (with_floor) std::erase_if(expected, [](Ranked item) { return score_of(item) < 3.0F; });
    std::sort(expected.begin(), expected.end(), std::greater<>());
    expected.resize(k, 0);
    CHECK(std::equal(expected.begin(), expected.end(), found.begin() + q * k));
  }
}

}  // namespace

TEST_CASE("ranked items sort by score, then by item, and give both back") {
  const float scores[] = {-INFINITY, -3e38F, -1, -1e-40F, -0.0F, 0.0F, 1e-40F, 1, 3e38F, INFINITY};
  for (size_t a = 0; a < std::size(scores); ++a) {
    const Ranked one = rank(scores[a], 7);
    CHECK(one != 0);
    CHECK(std::bit_cast<uint32_t>(score_of(one)) == std::bit_cast<uint32_t>(scores[a]));
    CHECK(item_of(one) == 7);
    CHECK(one > rank(scores[a], 8));
    CHECK(item_of(rank(scores[a], 0xFFFFFFFEU)) == 0xFFFFFFFEU);
    for (size_t b = 0; b < a; ++b) CHECK(one > rank(scores[b], 0));
  }
}

TEST_CASE("a block sorts a power of two of items, best first") {
  std::mt19937 random(5);
  for (const uint32_t count : {1U, 2U, 4U, 64U, 256U, 1024U, 4096U}) {
    for (const uint32_t threads : {32U, 96U, 256U}) {
      std::vector<Ranked> items = random_items(count, random);
      std::fill(items.begin(), items.begin() + count / 3, Ranked{0});
      const DeviceArray<Ranked> on_device(items);
      const Shape shape{
          .grid = dim3(1), .block = dim3(threads), .shared_bytes = size_t{count} * sizeof(Ranked)};
      REQUIRE(launch(sort_kernel, shape, nullptr, on_device.get(), count) == cudaSuccess);
      std::sort(items.begin(), items.end(), std::greater<>());
      CHECK(on_device.read() == items);
    }
  }
}

TEST_CASE("a block keeps the k best of any number of items") {
  for (const uint32_t k : {1U, 2U, 31U, 32U, 100U, 777U, kMostFoldK}) {
    for (const uint32_t count : {1U, 5U, 300U, 5000U}) {
      for (const bool with_floor : {false, true}) check_best(count, k, k < 200 ? 3 : 1, 256, with_floor);
    }
  }
  check_best(3000, 10, 8, 384, false);
  check_best(3000, 100, 1, 32, true);
}

}  // namespace engram::cuda
