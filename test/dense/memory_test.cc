#include "dense/memory.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "support/reference.h"

namespace engram::dense {
namespace {

std::shared_ptr<Memory> make(size_t dim, size_t value_dim = 0) {
  return std::move(Memory::create(dim, value_dim)).value();
}

float element(const Snapshot& snapshot, uint64_t item, size_t d) {
  for (const Block& block : snapshot.blocks) {
    if (item < block.first + block.rows) return block.keys[(item - block.first) * snapshot.dim + d];
  }
  return std::numeric_limits<float>::quiet_NaN();
}

TEST_CASE("dim 0 is refused, an empty memory has no items") {
  CHECK(Memory::create(0).status().code() == StatusCode::kShape);
  CHECK(make(3)->snapshot()->count == 0);
}

TEST_CASE("adopted rows are not copied and their owner lives as long as a snapshot") {
  auto rows = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  std::weak_ptr<std::vector<float>> watch = rows;
  std::shared_ptr<const Snapshot> snapshot;
  {
    const auto memory = make(2);
    REQUIRE(memory->adopt(rows->data(), nullptr, 2, rows).ok());
    CHECK(memory->snapshot()->blocks[0].keys == rows->data());
    CHECK(memory->native_bytes() == 0);
    CHECK(memory->adopt(rows->data(), rows->data(), 2, rows).code() == StatusCode::kShape);
    snapshot = memory->snapshot();
    rows.reset();
  }
  CHECK_FALSE(watch.expired());
  snapshot.reset();
  CHECK(watch.expired());
}

TEST_CASE("appended rows stay where they are, readers keep what they saw, blocks stay few") {
  const auto memory = make(5);
  const std::vector<float> rows = reference::random_floats(5000 * 5, 1);
  std::vector<std::shared_ptr<const Snapshot>> seen;
  std::vector<const float*> first_row;
  for (uint64_t i = 0; i < 5000; ++i) {
    Result<uint64_t> first = memory->append(&rows[i * 5], nullptr, 1);
    REQUIRE(first.ok());
    CHECK(first.value() == i);
    if (i % 500 == 0) seen.push_back(memory->snapshot());
  }
  for (size_t s = 0; s < seen.size(); ++s) {
    CHECK(seen[s]->count == s * 500 + 1);
    CHECK(seen[s]->blocks[0].keys == memory->snapshot()->blocks[0].keys);
  }
  const auto now = memory->snapshot();
  CHECK(now->blocks.size() <= 8);
  for (uint64_t i = 0; i < 5000; ++i) CHECK(element(*now, i, 3) == rows[i * 5 + 3]);
  CHECK(memory->native_bytes() >= 5000 * 5 * sizeof(float));
}

TEST_CASE("values are stored in step with keys") {
  const auto memory = make(2, 3);
  const float keys[] = {1, 2, 3, 4};
  const float values[] = {5, 6, 7, 8, 9, 10};
  CHECK(memory->append(keys, nullptr, 2).status().code() == StatusCode::kShape);
  REQUIRE(memory->append(keys, values, 2).ok());
  const auto snapshot = memory->snapshot();
  CHECK(snapshot->hetero);
  CHECK(snapshot->value_dim == 3);
  CHECK(snapshot->blocks[0].values[4] == 9);
}

TEST_CASE("non-finite rows are named and nothing is stored") {
  const auto memory = make(3);
  std::vector<float> rows(30, 1.0F);
  REQUIRE(memory->append(rows.data(), nullptr, 10).ok());
  rows[17] = std::numeric_limits<float>::infinity();
  const Status status = memory->append(rows.data(), nullptr, 10).status();
  CHECK(status.code() == StatusCode::kNonFinite);
  CHECK(status.message().find("pattern 5 ") != std::string::npos);
  CHECK(status.message().find("position 2") != std::string::npos);
  CHECK(memory->snapshot()->count == 10);
  rows[17] = 2;
  REQUIRE(memory->append(rows.data(), nullptr, 10).ok());
  CHECK(element(*memory->snapshot(), 15, 2) == 2);
}

TEST_CASE("a refused store holds no memory") {
  const auto memory = make(2, 2);
  std::vector<float> values(200'000, 1.0F);
  const std::vector<float> keys = values;
  values[77] = -std::numeric_limits<float>::infinity();
  const Status status = memory->append(keys.data(), values.data(), 100'000).status();
  CHECK(status.code() == StatusCode::kNonFinite);
  CHECK(status.message().find("value 38 has -inf at position 1") != std::string::npos);
  CHECK(memory->native_bytes() == 0);
  // No element is read before there is memory for all of them.
  for (const uint64_t rows : {uint64_t{1} << 45, uint64_t{1} << 61, UINT64_MAX}) {
    CHECK(memory->append(keys.data(), values.data(), rows).status().code() == StatusCode::kOutOfMemory);
  }
  CHECK(memory->native_bytes() == 0);
  CHECK(memory->snapshot()->count == 0);
}

TEST_CASE("a wide value beside a narrow key does not reserve room for thousands of rows") {
  const size_t width = 1'000'000;
  const auto memory = make(1, width);
  const float key = 1;
  const std::vector<float> value(width, 2.0F);
  REQUIRE(memory->append(&key, value.data(), 1).ok());
  CHECK(memory->native_bytes() == (1 + width) * sizeof(float));
}

TEST_CASE("readers see whole snapshots while others store and remove") {
  const size_t dim = 3;
  const auto memory = make(dim);
  const uint64_t rounds = 3000;
  std::atomic<bool> torn{false};
  std::atomic<bool> finished{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      do {
        const auto snapshot = memory->snapshot();
        uint64_t rows = 0;
        for (const Block& block : snapshot->blocks) {
          if (block.first != rows) torn = true;
          const float* const last = block.keys + (block.rows - 1) * dim;
          if (last[0] != static_cast<float>(block.first + block.rows - 1) || last[2] != last[0]) torn = true;
          rows += block.rows;
        }
        if (rows != snapshot->count || snapshot->live > snapshot->count) torn = true;
      } while (!finished);
    });
  }
  for (uint64_t i = 0; i < rounds; ++i) {
    const std::vector<float> row(dim, static_cast<float>(i));
    if (memory->append(row.data(), nullptr, 1).ok() && i % 100 == 0) {
      const uint64_t index = i;
      if (!memory->remove(std::span(&index, 1)).ok()) torn = true;
    }
  }
  finished = true;
  for (std::thread& reader : readers) reader.join();
  CHECK_FALSE(torn);
  CHECK(memory->snapshot()->count == rounds);
  CHECK(memory->snapshot()->live == rounds - rounds / 100);
}

TEST_CASE("removal marks items once, keeps numbers, and old readers do not see it") {
  const auto memory = make(1);
  const std::vector<float> rows(100, 1.0F);
  REQUIRE(memory->append(rows.data(), nullptr, 100).ok());
  const auto before = memory->snapshot();
  const uint64_t gone[] = {5, 99, 5};
  CHECK(memory->remove(gone).value() == 2);
  CHECK(memory->remove(gone).value() == 0);
  const auto after = memory->snapshot();
  CHECK(after->live == 98);
  CHECK(after->count == 100);
  CHECK(after->is_removed(5));
  CHECK_FALSE(after->is_removed(6));
  CHECK_FALSE(before->is_removed(5));
  const uint64_t beyond[] = {3, 100};
  CHECK(memory->remove(beyond).status().code() == StatusCode::kRange);
  CHECK_FALSE(memory->snapshot()->is_removed(3));
  REQUIRE(memory->append(rows.data(), nullptr, 100).ok());
  CHECK_FALSE(memory->snapshot()->is_removed(199));
}

}  // namespace
}  // namespace engram::dense
