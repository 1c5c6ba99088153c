#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "base/status.h"
#include "device/checks.h"
#include "device/judge.h"
#include "device/problem.h"

namespace engram::device_test {
namespace {

struct Bench {
  const Device& device;
  Lane lane;
  const Extent& extent;
};

Case small_case(const Bench& bench, Fold fold, size_t format = 0) {
  const Shape shape = bench.extent.tiny ? Shape{90, 20, 5, 6} : Shape{30011, 100, 50, 24};
  return {.shape = shape,
          .format = kFormats[format],
          .term = Term::kHalfSquareNorm,
          .fold = fold,
          .k = 10,
          .removals = true,
          .sharpness = 2};
}

constexpr std::array kAllFolds = {Fold::kLogSumExp, Fold::kReadout, Fold::kTopK, Fold::kCandidates};

// For each fold and two formats; the first thing wrong.
std::string for_each_fold(Bench& bench, const std::function<std::string(const Problem&)>& check) {
  for (const Fold fold : kAllFolds) {
    for (const size_t format : {size_t{0}, kFormats.size() - 1}) {
      const Problem problem = make_problem(small_case(bench, fold, format), bench.extent.seed);
      const std::string wrong = check(problem);
      if (!wrong.empty()) return problem.asked.name() + ": " + wrong;
    }
  }
  return {};
}

std::string in_pieces(Bench& bench) {
  return for_each_fold(bench, [&](const Problem& problem) {
    const Shape& shape = problem.asked.shape;
    Rows rows(bench.device, {.capacity = shape.count + 13,
                             .dim = shape.dim,
                             .width = shape.width,
                             .element = problem.asked.format.element});
    for (uint64_t first = 0; first < shape.count;) {
      const uint64_t count = std::min(shape.count - first, 1 + first);
      bench.lane.fill(rows, first, count, &problem.keys[first * shape.dim],
                      &problem.values[first * shape.width]);
      first += count;
    }
    const uint64_t row_bytes = (shape.dim + shape.width) * element_bytes(problem.asked.format);
    if (rows.bytes() < row_bytes * shape.count) return "its bytes are " + std::to_string(rows.bytes());
    return judge(problem, ask(bench.lane, problem, {whole(problem, rows)}));
  });
}

std::string overwritten(Bench& bench) {
  const Problem before = make_problem(small_case(bench, Fold::kReadout), bench.extent.seed);
  const Problem after = make_problem(small_case(bench, Fold::kReadout), bench.extent.seed + 77);
  const auto rows = resident(bench.device, bench.lane, before);
  bench.lane.fill(*rows, 0, after.asked.shape.count, after.keys.data(), after.values.data());
  return judge(after, ask(bench.lane, after, {whole(after, *rows)}));
}

// Rows in host memory, and some of each: part of the memory resident, the rest passing through.
std::string passing_through(Bench& bench) {
  return for_each_fold(bench, [&](const Problem& problem) {
    const uint64_t count = problem.asked.shape.count;
    return judge(problem, ask(bench.lane, problem, {passing(problem, 0, count)}));
  });
}

std::string partly_resident(Bench& bench) {
  return for_each_fold(bench, [&](const Problem& problem) {
    const auto rows = resident(bench.device, bench.lane, problem);
    const uint64_t count = problem.asked.shape.count;
    EngramFoldPart first = whole(problem, *rows);
    first.count = count / 3;
    const uint64_t middle = count / 2;
    return judge(problem, ask(bench.lane, problem,
                              {first, passing(problem, first.count, middle - first.count),
                               passing(problem, middle, count - middle)}));
  });
}

std::string same_bits_twice(Bench& bench) {
  return for_each_fold(bench, [&](const Problem& problem) {
    const auto rows = resident(bench.device, bench.lane, problem);
    const Answer first = ask(bench.lane, problem, {whole(problem, *rows)});
    for (int again = 0; again < 3; ++again) {
      Lane other(bench.device);
      if (!(ask(other, problem, {whole(problem, *rows)}) == first)) return std::string("the bits differ");
    }
    return std::string();
  });
}

std::string lanes_side_by_side(Bench& bench) {
  const Problem problem = make_problem(small_case(bench, Fold::kReadout), bench.extent.seed);
  const auto rows = resident(bench.device, bench.lane, problem);
  const Answer expected = ask(bench.lane, problem, {whole(problem, *rows)});
  std::atomic<int> different{0};
  const auto work = [&] {
    try {
      Lane lane(bench.device);
      for (int i = 0; i < (bench.extent.tiny ? 2 : 20); ++i) {
        if (!(ask(lane, problem, {whole(problem, *rows)}) == expected)) ++different;
      }
    } catch (const Refusal&) {
      ++different;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return different == 0 ? "" : std::to_string(different) + " answers differ";
}

// What an attempt is refused with; the lane must be of use afterwards.
std::string refused(Bench& bench, StatusCode code, const std::function<void()>& attempt) {
  std::string wrong = "was not refused";
  try {
    attempt();
  } catch (const Refusal& refusal) {
    wrong =
        refusal.code == static_cast<int32_t>(code) ? "" : std::string("was refused with: ") + refusal.what();
    if (*refusal.what() == '\0') wrong = "was refused without a word";
  }
  if (!wrong.empty()) return wrong;
  const Problem problem = make_problem(small_case(bench, Fold::kTopK), bench.extent.seed);
  const auto rows = resident(bench.device, bench.lane, problem);
  const std::string after = judge(problem, ask(bench.lane, problem, {whole(problem, *rows)}));
  return after.empty() ? after : "afterwards: " + after;
}

// A row that cannot be scored is stored, since it may be removed; asked while it is there, the memory
// refuses.
std::string refused_when_asked(Bench& bench, const Problem& problem) {
  const auto rows = resident(bench.device, bench.lane, problem);
  return refused(bench, StatusCode::kNonFinite, [&] { ask(bench.lane, problem, {whole(problem, *rows)}); });
}

std::string not_a_number(Bench& bench) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Problem problem = make_problem(small_case(bench, Fold::kReadout), bench.extent.seed);
    problem.keys[problem.keys.size() / 2] = bad;
    std::string wrong = refused_when_asked(bench, problem);
    if (!wrong.empty()) return "a resident key: " + wrong;
    const uint64_t count = problem.asked.shape.count;
    wrong = refused(bench, StatusCode::kNonFinite,
                    [&] { ask(bench.lane, problem, {passing(problem, 0, count)}); });
    if (!wrong.empty()) return "a key passing through: " + wrong;
    problem = make_problem(small_case(bench, Fold::kReadout), bench.extent.seed);
    problem.values.back() = bad;
    wrong = refused_when_asked(bench, problem);
    if (!wrong.empty()) return "a value: " + wrong;
  }
  return {};
}

std::string too_large(Bench& bench) {
  Problem problem = make_problem(small_case(bench, Fold::kReadout, 3), bench.extent.seed);  // f16
  problem.keys.back() = 1e6F;
  const std::string wrong = refused_when_asked(bench, problem);
  return wrong.empty() ? wrong : "a key of 16 bits: " + wrong;
}

std::string out_of_range(Bench& bench) {
  Problem problem = make_problem(small_case(bench, Fold::kTopK), bench.extent.seed);
  for (float& q : problem.queries) q *= 1e37F;
  const auto rows = resident(bench.device, bench.lane, problem);
  return refused(bench, StatusCode::kRange, [&] { ask(bench.lane, problem, {whole(problem, *rows)}); });
}

std::string out_of_memory(Bench& bench) {
  const uint64_t rows = 2 * bench.device.facts().memory_bytes / (4 * 1024) + 1;
  return refused(bench, StatusCode::kOutOfMemory, [&] {
    Rows beyond(bench.device, {.capacity = rows, .dim = 1024, .width = 0, .element = ENGRAM_ELEMENT_F32});
  });
}

std::string no_such_device(Bench& bench) {
  const EngramDeviceTable& table = bench.device.table();
  uint32_t devices = 0;
  EngramFailure failure{};
  if (table.count(&devices, &failure) != 0) return failure.message;
  return refused(bench, StatusCode::kDevice, [&] { Device(table, devices); });
}

struct MemoryCheck {
  const char* name;
  std::string (*run)(Bench&);
};

constexpr std::array<MemoryCheck, 11> kChecks = {{
    {"rows filled piece by piece", &in_pieces},
    {"rows filled again", &overwritten},
    {"rows that pass through", &passing_through},
    {"rows partly resident", &partly_resident},
    {"the same bits twice", &same_bits_twice},
    {"four lanes side by side", &lanes_side_by_side},
    {"NaN and infinity are refused", &not_a_number},
    {"a number too large for 16 bits is refused", &too_large},
    {"scores beyond Float32 are refused", &out_of_range},
    {"more memory than there is is refused", &out_of_memory},
    {"a device that is not there is refused", &no_such_device},
}};

}  // namespace

uint64_t count_memory_checks() { return kChecks.size(); }

void check_memories(const Device& device, const Extent& extent, Report& report) {
  Bench bench{device, Lane(device), extent};
  for (const MemoryCheck& check : kChecks) {
    try {
      report.check(check.name, check.run(bench));
    } catch (const Refusal& refusal) {
      report.check(check.name, std::string("refused: ") + refusal.what());
    }
  }
}

}  // namespace engram::device_test
