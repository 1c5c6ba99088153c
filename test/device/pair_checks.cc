#include <array>
#include <string>

#include "device/checks.h"
#include "device/pair_problem.h"

namespace engram::device_test {
namespace {

struct PairShape {
  uint32_t rows;
  uint32_t columns;
  uint32_t dim;
};
// One for each way of solving: kernels in registers, twice, in shared memory, and large pairs.
constexpr std::array<PairShape, 6> kShapes = {
    {{1, 5, 2}, {20, 33, 2}, {64, 64, 3}, {100, 128, 3}, {150, 170, 4}, {300, 420, 3}}};

}  // namespace

uint64_t count_pair_checks() { return kShapes.size(); }

void check_pairs(const Device& device, const Extent& extent, Report& report) {
  Lane lane(device);
  uint64_t seed = extent.seed + 1000;
  for (const auto& [rows, columns, dim] : kShapes) {
    const PairProblem problem = make_pairs(rows, columns, dim, extent.tiny ? 1 : 20, seed += 2);
    const std::string name = "transport: " + problem.name();
    try {
      const Clouds clouds(device, lane, problem);
      const PairAnswers once = solve(device, lane, &clouds, problem, /*projects=*/true);
      std::string wrong = judge(problem, once, 2);
      const PairAnswers again = solve(device, lane, &clouds, problem, /*projects=*/true);
      if (wrong.empty() && again.projections != once.projections) wrong = "the bits differ";
      const PairAnswers passing = solve(device, lane, nullptr, problem, /*projects=*/true);
      if (wrong.empty() && passing.projections != once.projections) wrong = "the bits differ passing through";
      report.check(name, wrong);
    } catch (const Refusal& refusal) {
      report.check(name, std::string("refused: ") + refusal.what());
    }
  }
}

}  // namespace engram::device_test
