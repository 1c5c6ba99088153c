#include <array>
#include <vector>

#include "device/checks.h"
#include "device/judge.h"
#include "device/problem.h"

namespace engram::device_test {
namespace {

constexpr std::array kTerms = {Term::kNone, Term::kHalfSquareNorm, Term::kReciprocalNorm};
constexpr std::array kFolds = {Fold::kLogSumExp, Fold::kReadout, Fold::kTopK, Fold::kCandidates};

// Count, dim, queries, width of values: below, at and above the widths of tiles and of pieces of rows.
const std::vector<Shape> kShapes = {
    {1, 1, 1, 0},        {2, 3, 1, 0},         {63, 16, 2, 0},       {64, 64, 4, 1},
    {65, 100, 5, 0},     {127, 128, 8, 33},    {129, 31, 16, 0},     {1000, 128, 33, 0},
    {1025, 256, 64, 10}, {777, 384, 65, 0},    {2049, 64, 127, 64},  {4097, 128, 129, 0},
    {333, 1000, 40, 0},  {900, 1024, 7, 0},    {500, 1024, 200, 16}, {20000, 8, 3, 0},
    {70001, 128, 1, 0},  {30000, 96, 300, 96}, {5000, 768, 1000, 0}, {100003, 40, 12, 7},
    {5, 4099, 2, 0},     {65537, 128, 513, 0},
};
const std::vector<Shape> kTinyShapes = {
    {1, 1, 1, 0}, {70, 16, 1, 0}, {65, 20, 3, 5}, {130, 64, 40, 0}, {40, 128, 33, 17},
};

// The case of a shape; what is not named by it cycles with periods that share no factor.
Case case_of(const Shape& shape, const Format& format, Term term, Fold fold, size_t round) {
  constexpr std::array<uint32_t, 5> kMost = {1, 10, 100, 3, 1024};
  constexpr std::array<double, 3> kSharpness = {1, 4, 0.1};
  return {.shape = shape,
          .format = format,
          .term = term,
          .fold = fold,
          .k = kMost[round % kMost.size()],
          .removals = round % 7 < 3 && shape.count > 2,
          .sharpness = kSharpness[round % kSharpness.size()]};
}

std::vector<Case> cases(const Extent& extent) {
  std::vector<Case> all;
  size_t round = 0;
  for (const Shape& shape : extent.tiny ? kTinyShapes : kShapes) {
    for (const Fold fold : kFolds) {
      for (const Format& format : kFormats) {
        if (extent.tiny) {  // one of the terms
          all.push_back(case_of(shape, format, kTerms[round % kTerms.size()], fold, round));
          ++round;
          continue;
        }
        for (const Term term : kTerms) all.push_back(case_of(shape, format, term, fold, round++));
      }
    }
  }
  return all;
}

std::string outcome(const Device& device, Lane& lane, const Case& asked, uint64_t seed) {
  try {
    const Problem problem = make_problem(asked, seed);
    const auto rows = resident(device, lane, problem);
    return judge(problem, ask(lane, problem, {whole(problem, *rows)}));
  } catch (const Refusal& refusal) {
    return std::string("refused: ") + refusal.what();
  }
}

}  // namespace

uint64_t count_fold_checks(const Extent& extent) { return cases(extent).size(); }

void check_folds(const Device& device, const Extent& extent, Report& report) {
  Lane lane(device);
  uint64_t seed = extent.seed;
  for (const Case& asked : cases(extent)) {
    seed += 16;
    report.check(asked.name() + " seed " + std::to_string(seed), outcome(device, lane, asked, seed));
  }
}

}  // namespace engram::device_test
