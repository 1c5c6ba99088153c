#include "device/benchmarks.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "device/judge.h"
#include "device/pair_problem.h"
#include "device/probes.h"
#include "device/problem.h"
#include "device/stopwatch.h"

namespace engram::device_test {
namespace {

enum FormatIndex : size_t { kF32, kTf32, kF32AsBf16, kF16, kBf16 };

struct Row {
  const char* what;
  Shape shape;
  FormatIndex format;
  Fold fold;
  bool passes_through = false;
};

constexpr Shape kBatch = {262144, 128, 8192, 0};
constexpr Shape kBatch64 = {262144, 64, 8192, 0};
constexpr Shape kBatch256 = {262144, 256, 8192, 0};
constexpr Shape kOne = {4194304, 128, 1, 0};
constexpr Shape kFew = {4194304, 128, 8, 0};
constexpr Shape kMany = {4194304, 128, 256, 0};

constexpr std::array kRows = {
    Row{"soft retrieval", kBatch, kBf16, Fold::kReadout},
    Row{"soft retrieval", kBatch, kF16, Fold::kReadout},
    Row{"soft retrieval", kBatch, kF32, Fold::kReadout},
    Row{"soft retrieval", kBatch, kTf32, Fold::kReadout},
    Row{"soft retrieval", kBatch, kF32AsBf16, Fold::kReadout},
    Row{"soft retrieval", kBatch64, kBf16, Fold::kReadout},
    Row{"soft retrieval", kBatch256, kBf16, Fold::kReadout},
    Row{"energies", kBatch, kBf16, Fold::kLogSumExp},
    Row{"energies", kBatch, kF32, Fold::kLogSumExp},
    Row{"soft retrieval", kOne, kF32, Fold::kReadout},
    Row{"soft retrieval", kOne, kBf16, Fold::kReadout},
    Row{"soft retrieval", kOne, kF16, Fold::kReadout},
    Row{"soft retrieval", kFew, kF32, Fold::kReadout},
    Row{"soft retrieval", kFew, kBf16, Fold::kReadout},
    Row{"top 10", kOne, kF32, Fold::kTopK},
    Row{"top 10", kMany, kF32, Fold::kTopK},
    Row{"top 10", kMany, kBf16, Fold::kTopK},
    Row{"soft retrieval of rows in host memory", kOne, kF32, Fold::kReadout, true},
};
constexpr std::array kUploads = {kF32, kBf16};

Shape extent_of(const Shape& shape, const Extent& extent) {
  if (!extent.tiny) return shape;
  return {std::min<uint64_t>(shape.count, 150), std::min(shape.dim, 64U),
          std::min<uint64_t>(shape.queries, 34), shape.width};
}

Case case_of(const Row& row, const Extent& extent) {
  return {.shape = extent_of(row.shape, extent),
          .format = kFormats[row.format],
          .term = Term::kNone,
          .fold = row.fold,
          .k = 10,
          .removals = false,
          .sharpness = 2};
}

struct Floor {
  double seconds;
  std::string of;
};

// The largest of what bytes, products and exponentials take at least.
Floor floor_of(const Case& asked, bool passes_through, const Limits& limits) {
  const auto count = static_cast<double>(asked.shape.count);
  const double scores = count * static_cast<double>(asked.shape.queries);
  const auto dim = static_cast<double>(asked.shape.dim);
  const auto bytes = static_cast<double>(element_bytes(asked.format));
  Floor floor{count * dim * bytes / limits.bytes_per_second, "bytes of the memory"};
  const auto raise = [&floor](double seconds, const char* of) {
    if (seconds > floor.seconds) floor = {seconds, of};
  };
  if (passes_through) raise(count * dim * 4 / limits.upload_bytes_per_second, "bytes from the host");
  const bool halves =
      asked.format.element != ENGRAM_ELEMENT_F32 || asked.format.arithmetic == ENGRAM_ARITHMETIC_BF16;
  const bool compensated = !halves && asked.format.arithmetic == ENGRAM_ARITHMETIC_TF32X3;
  const double peak = halves ? limits.products_16 : limits.products_tf32;
  const double flops = (asked.fold == Fold::kReadout ? 4 : 2) * scores * dim * (compensated ? 3 : 1);
  if (peak > 0) raise(flops / peak, compensated ? "three products of tf32" : "products");
  const bool softmax = asked.fold == Fold::kReadout || asked.fold == Fold::kLogSumExp;
  if (softmax && limits.exponentials > 0) raise(scores / limits.exponentials, "exponentials");
  return floor;
}

Measurement measured(const std::string& name, const Timing& timing) {
  Measurement m;
  m.name = name;
  m.seconds = timing.median;
  m.least_seconds = timing.least;
  m.runs = timing.runs;
  return m;
}

Measurement measure_row(const Device& device, Lane& lane, const Row& row, const Extent& extent,
                        const Limits& limits, uint64_t seed) {
  const Case asked = case_of(row, extent);
  const Problem problem = make_problem(asked, seed);
  std::unique_ptr<Rows> rows;
  std::vector<EngramFoldPart> parts = {passing(problem, 0, asked.shape.count)};
  if (!row.passes_through) {
    rows = resident(device, lane, problem);
    parts = {whole(problem, *rows)};
  }
  Answer answer;
  const Timing timing = measure([&] { answer = ask(lane, problem, parts); }, extent.tiny);

  Measurement m = measured(std::string(row.what) + ": " + problem.asked.name(), timing);
  const auto [count, dim, queries, width] = asked.shape;
  const double flops =
      (asked.fold == Fold::kReadout ? 4.0 : 2.0) * static_cast<double>(count * queries * dim);
  const bool by_bytes = queries <= 8;
  m.amount = by_bytes ? 1e-9 * static_cast<double>(count * dim * element_bytes(asked.format)) : 1e-12 * flops;
  m.unit = by_bytes ? "GB" : "TFLOP";
  const Floor floor = floor_of(asked, row.passes_through, limits);
  m.floor_seconds = floor.seconds;
  m.floor_of = floor.of;
  constexpr uint64_t kCompared = 3;
  m.verdict = judge(problem, answer, kCompared);
  return m;
}

Measurement measure_upload(const Device& device, Lane& lane, FormatIndex format, const Extent& extent,
                           const Limits& limits, uint64_t seed) {
  const Row row{"upload", kOne, format, Fold::kLogSumExp};
  const Problem problem = make_problem(case_of(row, extent), seed);
  const Shape& shape = problem.asked.shape;
  const auto rows = resident(device, lane, problem);
  const Timing timing =
      measure([&] { lane.fill(*rows, 0, shape.count, problem.keys.data(), nullptr); }, extent.tiny);
  Measurement m = measured("upload of " + std::to_string(shape.count) + "x" + std::to_string(shape.dim) +
                               " as " + kFormats[format].name,
                           timing);
  const double bytes = 4.0 * static_cast<double>(shape.count * shape.dim);
  m.amount = 1e-9 * bytes;
  m.unit = "GB";
  m.floor_seconds = bytes / limits.upload_bytes_per_second;
  m.floor_of = "bytes from the host";
  m.verdict = judge(problem, ask(lane, problem, {whole(problem, *rows)}));
  return m;
}

// A hundred iterations of many small pairs; the floor is that of the log-domain form, two exponentials for an
// entry.
Measurement measure_pairs(const Device& device, Lane& lane, const Extent& extent, const Limits& limits,
                          uint64_t seed) {
  PairProblem problem = extent.tiny ? make_pairs(6, 6, 3, 6, seed) : make_pairs(64, 64, 3, 1000, seed);
  problem.tolerance = 0;
  problem.iterations = extent.tiny ? 10 : 100;
  const Clouds clouds(device, lane, problem);
  PairAnswers answers;
  const Timing timing =
      measure([&] { answers = solve(device, lane, &clouds, problem, /*projects=*/false); }, extent.tiny);
  Measurement m = measured(
      "transport: " + problem.name() + ", " + std::to_string(problem.iterations) + " iterations", timing);
  const double exponentials = 2.0 * problem.clouds * problem.rows * problem.columns * problem.iterations;
  m.amount = 1e-9 * exponentials;
  m.unit = "Gexp";
  m.floor_seconds = limits.exponentials > 0 ? exponentials / limits.exponentials : 0;
  m.floor_of = "exponentials of the log domain";
  m.verdict = judge(problem, answers, 3);
  return m;
}

void note(const Limits& limits, Report& report) {
  report.fact("device copy, GB/s read and written", 1e-9 * limits.bytes_per_second);
  report.fact("pinned host to device, GB/s", 1e-9 * limits.upload_bytes_per_second);
  report.fact("highest clock, GHz", 1e-9 * limits.clock);
  report.fact("16-bit products at that clock, TFLOP/s", 1e-12 * limits.products_16);
  report.fact("tf32 products at that clock, TFLOP/s", 1e-12 * limits.products_tf32);
  report.fact("exponentials at that clock, 1e12/s", 1e-12 * limits.exponentials);
}

}  // namespace

uint64_t count_measurements() { return kRows.size() + kUploads.size() + 1; }

void measure_folds(const Device& device, const Extent& extent, Report& report) {
  Lane lane(device);
  const Limits limits = probe_limits(device, extent.tiny ? 1 << 16 : uint64_t{1} << 30);
  note(limits, report);
  uint64_t seed = extent.seed;
  const auto run = [&](const std::string& what, const auto& measurement) {
    seed += 16;
    try {
      report.measured(measurement());
    } catch (const Refusal& refusal) {
      report.check("measuring " + what, std::string("refused: ") + refusal.what());
    }
  };
  for (const FormatIndex format : kUploads) {
    run("uploads", [&] { return measure_upload(device, lane, format, extent, limits, seed); });
  }
  for (const Row& row : kRows) {
    run(row.what, [&] { return measure_row(device, lane, row, extent, limits, seed); });
  }
  run("transport", [&] { return measure_pairs(device, lane, extent, limits, seed); });
}

}  // namespace engram::device_test
