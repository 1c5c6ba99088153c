#include "cuda/fold_plan.h"

#include <doctest/doctest.h>

#include <vector>

#include "cuda/resident_rows.h"

namespace engram::cuda {
namespace {

TEST_CASE("slices cover every row once, in order, part by part") {
  for (const uint32_t most : {1024U, 4096U}) {
    const std::vector<EngramFoldPart> parts = {
        {.rows = reinterpret_cast<const EngramRows*>(16),
         .keys = nullptr,
         .values = nullptr,
         .first_item = 0,
         .count = 5000},
        {.rows = nullptr, .keys = nullptr, .values = nullptr, .first_item = 5000, .count = 1},
        {.rows = nullptr, .keys = nullptr, .values = nullptr, .first_item = 5001, .count = 3000}};
    EngramFold fold{};
    fold.parts = parts.data();
    fold.part_count = parts.size();
    uint64_t part = 0;
    uint64_t row = 0;
    for (const Slice& slice : cut_slices(fold, most, 700)) {
      if (slice.part != part) {
        CHECK(row == parts[part].count);
        CHECK(slice.part == part + 1);
        part = slice.part;
        row = 0;
      }
      CHECK(slice.row == row);
      CHECK(slice.count > 0);
      CHECK(slice.count <= (parts[part].rows == nullptr ? 700 : most));
      row += slice.count;
    }
    CHECK(part == 2);
    CHECK(row == 3000);
  }
}

TEST_CASE("a slice is some work but not too much") {
  for (const uint32_t queries : {1U, 64U, 8192U, 32768U}) {
    for (const uint32_t dim : {1U, 128U, 1024U}) {
      const uint32_t rows = slice_rows(queries, dim, dim);
      CHECK(rows >= 1024);
      CHECK(rows % 1024 == 0);
      const double products = static_cast<double>(rows) * queries * 2 * dim;
      CHECK((rows == 1024 || products <= 6.1e11));
    }
  }
}

TEST_CASE("batches hold all queries of a usual call, and bounded memory of any") {
  CHECK(batch_queries(1, 128, 128) == 1);
  CHECK(batch_queries(8192, 128, 128) == 8192);
  CHECK(batch_queries(1000000, 128, 128) == 32768);
  CHECK(batch_queries(1000000, 4096, 1) == 4096);
  CHECK(batch_queries(1000000, 1 << 24, 1) == 128);
}

TEST_CASE("rows begin on 16 bytes") {
  CHECK(pitch_of(1, Element::kFloat32) == 4);
  CHECK(pitch_of(128, Element::kFloat32) == 128);
  CHECK(pitch_of(129, Element::kFloat16) == 136);
  CHECK(pitch_of(3, Element::kBfloat16) == 8);
}

TEST_CASE("few queries go by rows, many by tiles") {
  EngramDeviceFacts ampere{};
  ampere.compute_major = 8;
  ampere.multiprocessors = 108;
  Rows rows;
  rows.count = 100000;
  rows.dim = rows.width = 128;
  rows.key_pitch = rows.value_pitch = 128;
  CHECK(choose_path(rows, 1, true, ampere) == Path::kRows);
  CHECK(choose_path(rows, 4096, true, ampere) == Path::kTiles);
  CHECK(choose_path(rows, 4096, false, ampere) == Path::kTiles);
  EngramDeviceFacts hopper = ampere;
  hopper.compute_major = 9;
  rows.element = Element::kBfloat16;
  CHECK(choose_path(rows, 4096, true, hopper) == Path::kHopper);
  CHECK(choose_path(rows, 4096, false, hopper) == Path::kTiles);
  CHECK(choose_path(rows, 4096, true, ampere) == Path::kTiles);
  CHECK(queries_per_launch(rows, 4096, Path::kTiles) == 4096);
  CHECK(queries_per_launch(rows, 7, Path::kRows) >= 1);
}

TEST_CASE("ranked items sort by score, then by lower item") {
  CHECK(rank(1.0F, 5) > rank(0.5F, 1));
  CHECK(rank(1.0F, 5) < rank(1.0F, 4));
  CHECK(rank(-1.0F, 5) > rank(-2.0F, 5));
  CHECK(rank(-3e38F, 0xFFFFFFFE) > Ranked{0});
  for (const float score : {0.0F, -0.0F, 1.5F, -1.5F, 3e38F, -3e38F, 1e-40F}) {
    CHECK(score_of(rank(score, 77)) == score);
    CHECK(item_of(rank(score, 77)) == 77);
  }
}

}  // namespace
}  // namespace engram::cuda
