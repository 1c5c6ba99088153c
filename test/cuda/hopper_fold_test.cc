// The kernels of hopper_fold against float64, on the simulated device. That proves indices, layouts as the
// PTX ISA describes them, barriers and tails; it proves nothing about speed, nor about memory orderings that
// the simulator does not relax.
#include "cuda/hopper_fold.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cuda/buffers.h"
#include "cuda/combine.h"
#include "cuda/intake.h"
#include "cuda/resident_rows.h"
#include "support/problem.h"
#include "support/reference.h"

namespace engram::cuda {
namespace {

Buffer buffer_of(size_t bytes) {
  return std::move(Buffer::allocate(Buffer::Kind::kDevice, 0, bytes, "a test")).value();
}

template <typename T>
Buffer given(const std::vector<T>& values) {
  Buffer buffer = buffer_of(values.size() * sizeof(T));
  REQUIRE(cudaMemcpy(buffer.as<T>(), values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice) ==
          cudaSuccess);
  return buffer;
}

template <typename T>
std::vector<T> fetched(const Buffer& buffer, size_t count) {
  std::vector<T> values(count);
  REQUIRE(cudaMemcpy(values.data(), buffer.as<T>(), count * sizeof(T), cudaMemcpyDeviceToHost) ==
          cudaSuccess);
  return values;
}

// Numbers that 16-bit floats hold exactly, so that only products of weights are rounded.
std::vector<float> rounded(std::vector<float> values) {
  for (float& v : values) v = std::round(v * 64) / 64;
  return values;
}

struct Case {
  uint64_t count;
  size_t dim;
  size_t width;  // of separate values; 0: the keys are read out
  uint32_t queries;
  KeyTerm term;
  bool with_removed;
  uint32_t splits;
  bool readout = true;
  uint64_t all_removed_below = 0;  // besides
};

struct Answers {
  std::vector<double> lse;
  std::vector<float> readout;
  uint32_t width = 0;
};

// What the kernels make of the problem's numbers, which the element holds exactly.
Answers answers_of(const reference::Problem& p, const Case& c, Element element) {
  const RowShape shape{static_cast<uint32_t>(c.dim), static_cast<uint32_t>(c.width), element};
  Cutter counted;
  shape.cut(counted, c.count);
  const Buffer rows_memory = buffer_of(counted.used());
  Cutter cutter(rows_memory.as<void>());
  const RowArrays arrays = shape.cut(cutter, c.count);
  const Buffer raw_keys = given(p.keys);
  const Buffer raw_values = given(p.values);
  const auto count = static_cast<uint32_t>(c.count);
  REQUIRE(take_rows(raw_keys.as<float>(), count, shape.dim, arrays.keys, shape.key_pitch(), element,
                    arrays.square_norms, nullptr, nullptr) == cudaSuccess);
  if (c.width > 0) {
    REQUIRE(take_rows(raw_values.as<float>(), count, shape.width, arrays.values, shape.value_pitch(), element,
                      nullptr, nullptr, nullptr) == cudaSuccess);
  }
  Rows rows = shape.view(arrays, 0, 0, count, c.readout, c.width == 0);
  rows.term = c.term;
  const Buffer removed = given(p.removed.empty() ? std::vector<uint64_t>{0} : p.removed);
  if (c.with_removed) {
    rows.removed = removed.as<uint64_t>();
    rows.removed_bits = p.removed.size() * 64;
  }
  const uint32_t pitch = pitch_of(shape.dim, Element::kFloat32);
  const Buffer raw_queries = given(p.queries);
  const Buffer query_memory = buffer_of(size_t{c.queries} * pitch * 4);
  REQUIRE(take_queries(raw_queries.as<float>(), c.queries, shape.dim, query_memory.as<float>(), pitch,
                       nullptr) == cudaSuccess);
  const Buffer scale = given(p.scale);
  const Queries queries{query_memory.as<float>(), scale.as<float>(), c.queries, pitch};
  const size_t partials = size_t{c.splits} * c.queries;
  const Buffer max = buffer_of(partials * 4);
  const Buffer sum = buffer_of(partials * 4);
  const Buffer readout = buffer_of(partials * std::max(1U, rows.width) * 4);
  const Buffer workspace = buffer_of(hopper_fold_bytes(rows, queries));
  const SoftmaxPartials out{max.as<float>(), sum.as<float>(),
                            rows.width == 0 ? nullptr : readout.as<float>()};
  REQUIRE(hopper_softmax(rows, queries, c.splits, workspace.as<void>(), out, nullptr) == cudaSuccess);

  const Buffer state_max = buffer_of(c.queries * 4);
  const Buffer state_sum = buffer_of(c.queries * 8);
  const Buffer state_readout = buffer_of(size_t{c.queries} * std::max(1U, rows.width) * 4);
  const SoftmaxState state{state_max.as<float>(), state_sum.as<double>(), state_readout.as<float>()};
  REQUIRE(begin_softmax(state, c.queries, rows.width, nullptr) == cudaSuccess);
  REQUIRE(combine_softmax(state, out, c.splits, c.queries, rows.width, nullptr) == cudaSuccess);
  if (rows.width > 0) REQUIRE(finish_softmax(state, c.queries, rows.width, nullptr) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);

  const std::vector<float> maxima = fetched<float>(state_max, c.queries);
  const std::vector<double> sums = fetched<double>(state_sum, c.queries);
  Answers answers{.lse = {},
                  .readout = fetched<float>(state_readout, size_t{c.queries} * rows.width),
                  .width = rows.width};
  for (uint32_t i = 0; i < c.queries; ++i) {
    answers.lse.push_back((static_cast<double>(maxima[i]) + std::log2(sums[i])) * std::log(2.0));
  }
  return answers;
}

reference::Problem problem_of(const Case& c) {
  return {c.count,       c.dim, c.width == 0 ? 1 : c.width, c.queries, static_cast<engine::KeyTerm>(c.term),
          c.with_removed};
}

void check_case(const Case& c, Element element) {
  CAPTURE(c.count);
  CAPTURE(c.dim);
  CAPTURE(c.width);
  CAPTURE(c.queries);
  CAPTURE(static_cast<int>(c.term));
  CAPTURE(c.with_removed);
  CAPTURE(c.splits);
  reference::Problem p = problem_of(c);
  for (uint64_t j = 0; j < c.all_removed_below; ++j) p.removed[j / 64] |= uint64_t{1} << (j % 64);
  std::copy_n(rounded(p.keys).begin(), p.keys.size(), p.keys.begin());
  std::copy_n(rounded(p.values).begin(), p.values.size(), p.values.begin());
  std::copy_n(rounded(p.queries).begin(), p.queries.size(), p.queries.begin());
  const Answers answers = answers_of(p, c, element);
  p.op.read_keys = c.width == 0;
  p.op.value_dim = c.width == 0 ? 1 : c.width;
  // Scores are exact to Float32; each weight is rounded to the element type, by 2^-9 or 2^-12 of itself.
  const double weights = element == Element::kBfloat16 ? 0x1p-8 : 0x1p-11;
  for (uint32_t i = 0; i < c.queries; ++i) {
    CHECK(std::abs(answers.lse[i] - reference::lse(reference::scores(p.op, i))) <=
          1e-5 * static_cast<double>(c.dim + 4));
    if (answers.width == 0) continue;
    const std::vector<double> exact = reference::readout(p.op, i);
    for (uint32_t d = 0; d < answers.width; ++d) {
      CHECK(std::abs(answers.readout[size_t{i} * answers.width + d] - exact[d]) <=
            weights + 1e-5 * static_cast<double>(c.dim + 4));
    }
  }
}

TEST_CASE("hopper kernels equal float64, with every kind of tail") {
  const Case cases[] = {
      {.count = 128,
       .dim = 64,
       .width = 0,
       .queries = 128,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1},
      {.count = 300,
       .dim = 128,
       .width = 0,
       .queries = 70,
       .term = KeyTerm::kHalfSquareNorm,
       .with_removed = true,
       .splits = 1},
      {.count = 700,
       .dim = 100,
       .width = 0,
       .queries = 130,
       .term = KeyTerm::kReciprocalNorm,
       .with_removed = false,
       .splits = 3},
      {.count = 1,
       .dim = 1,
       .width = 0,
       .queries = 1,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1},
      {.count = 200,
       .dim = 17,
       .width = 100,
       .queries = 66,
       .term = KeyTerm::kNone,
       .with_removed = true,
       .splits = 2},
      {.count = 140,
       .dim = 128,
       .width = 5,
       .queries = 129,
       .term = KeyTerm::kHalfSquareNorm,
       .with_removed = false,
       .splits = 1},
      {.count = 520,
       .dim = 40,
       .width = 0,
       .queries = 65,
       .term = KeyTerm::kHalfSquareNorm,
       .with_removed = true,
       .splits = 2,
       .readout = false},
      {.count = 1100,
       .dim = 128,
       .width = 128,
       .queries = 10,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1},
      // Slots go round more than twice, and a tile of one row at the end.
      {.count = 176 * 10 + 1,
       .dim = 128,
       .width = 0,
       .queries = 128,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1},
      {.count = 176 * 9,
       .dim = 64,
       .width = 0,
       .queries = 100,
       .term = KeyTerm::kReciprocalNorm,
       .with_removed = true,
       .splits = 1},
      {.count = 80 * 7 + 79,
       .dim = 256,
       .width = 0,
       .queries = 96,
       .term = KeyTerm::kHalfSquareNorm,
       .with_removed = false,
       .splits = 2},
      {.count = 80 * 6,
       .dim = 200,
       .width = 256,
       .queries = 130,
       .term = KeyTerm::kNone,
       .with_removed = true,
       .splits = 1},
      {.count = 333,
       .dim = 30,
       .width = 250,
       .queries = 128,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 2},
      {.count = 333,
       .dim = 129,
       .width = 33,
       .queries = 128,
       .term = KeyTerm::kReciprocalNorm,
       .with_removed = false,
       .splits = 2},
      {.count = 333,
       .dim = 256,
       .width = 128,
       .queries = 97,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1},
      {.count = 1500,
       .dim = 100,
       .width = 64,
       .queries = 96,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 2},
      {.count = 1000,
       .dim = 192,
       .width = 0,
       .queries = 100,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 3,
       .readout = false},
      {.count = 1500,
       .dim = 128,
       .width = 0,
       .queries = 100,
       .term = KeyTerm::kNone,
       .with_removed = false,
       .splits = 1,
       .readout = false},
      // The first of three splits has nothing, and tiles of the second begin with nothing.
      {.count = 1500,
       .dim = 128,
       .width = 0,
       .queries = 96,
       .term = KeyTerm::kNone,
       .with_removed = true,
       .splits = 3,
       .readout = true,
       .all_removed_below = 900},
      {.count = 1500,
       .dim = 64,
       .width = 80,
       .queries = 96,
       .term = KeyTerm::kHalfSquareNorm,
       .with_removed = true,
       .splits = 3,
       .readout = false,
       .all_removed_below = 900},
  };
  for (const Case& c : cases) {
    check_case(c, Element::kBfloat16);
    check_case(c, Element::kFloat16);
  }
}

constexpr Case kPlain = {.count = 500,
                         .dim = 16,
                         .width = 0,
                         .queries = 96,
                         .term = KeyTerm::kNone,
                         .with_removed = false,
                         .splits = 2};

// Products of scores and scale are rounded by 64 and more here.
TEST_CASE("hopper kernels take scores that Float32 holds only roughly") {
  for (const float scale : {1e7F, 1e9F, 1e11F}) {
    for (const Element element : {Element::kBfloat16, Element::kFloat16}) {
      reference::Problem p = problem_of(kPlain);
      std::copy_n(rounded(p.keys).begin(), p.keys.size(), p.keys.begin());
      std::copy_n(rounded(p.queries).begin(), p.queries.size(), p.queries.begin());
      std::fill(p.scale.begin(), p.scale.end(), scale);
      const Answers answers = answers_of(p, kPlain, element);
      for (uint32_t i = 0; i < kPlain.queries; ++i) {
        const double lse = reference::lse(reference::scores(p.op, i));
        CHECK(std::abs(answers.lse[i] - lse) <= 1e-6 * std::abs(lse));
        const std::vector<double> exact = reference::readout(p.op, i);
        for (size_t d = 0; d < kPlain.dim; ++d) {
          CHECK(std::abs(answers.readout[i * kPlain.dim + d] - exact[d]) <= 0x1p-7);
        }
      }
    }
  }
}

// 2^-26 is nothing to f16, but there are many of them.
TEST_CASE("hopper kernels lose no small weights") {
  Case c = kPlain;
  c.count = 3000;
  c.splits = 1;
  for (const Element element : {Element::kBfloat16, Element::kFloat16}) {
    reference::Problem p = problem_of(c);
    std::fill(p.keys.begin(), p.keys.end(), 0.0F);
    std::fill(p.queries.begin(), p.queries.end(), 0.0F);
    std::fill(p.scale.begin(), p.scale.end(), 1.0F);
    p.keys[0] = 1;
    for (uint64_t j = 1; j < c.count; ++j) p.keys[j * c.dim + 1] = 1;
    for (uint32_t i = 0; i < c.queries; ++i) p.queries[i * c.dim] = 26;
    const Answers answers = answers_of(p, c, element);
    const double exact = 2999 * 0x1p-26;
    for (uint32_t i = 0; i < c.queries; ++i) {
      CHECK(std::abs(answers.readout[i * c.dim + 1] - exact) <= 0.01 * exact);
    }
  }
}

TEST_CASE("hopper kernels are for what they were made for") {
  Rows rows;
  rows.dim = rows.width = 128;
  rows.element = Element::kBfloat16;
  CHECK(hopper_fold_applies(rows, 8192, 9, 0));
  CHECK_FALSE(hopper_fold_applies(rows, 8192, 8, 0));
  CHECK_FALSE(hopper_fold_applies(rows, 8192, 10, 0));  // other instructions
  CHECK_FALSE(hopper_fold_applies(rows, 16, 9, 0));
  rows.dim = 257;
  CHECK_FALSE(hopper_fold_applies(rows, 8192, 9, 0));
  rows.dim = 128;
  rows.element = Element::kFloat32;
  CHECK_FALSE(hopper_fold_applies(rows, 8192, 9, 0));
}

TEST_CASE("splits fill the multiprocessors, and are no more than they have to be") {
  Rows rows;
  rows.count = 262144;
  rows.dim = rows.width = 128;
  CHECK(hopper_fold_splits(rows, 132 * 128, 132) == 1);
  CHECK(hopper_fold_splits(rows, 8192, 132) == 2);   // 64 x 2 of 132
  CHECK(hopper_fold_splits(rows, 128, 132) == 125);  // 12 of 1,490 tiles each, as 132 would have
  rows.count = 100;
  CHECK(hopper_fold_splits(rows, 128, 132) == 1);
}

}  // namespace
}  // namespace engram::cuda
