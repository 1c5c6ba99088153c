// Transport problems between clouds, asked of a device and solved in double precision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/device.h"

namespace engram::device_test {

// A query cloud against stored clouds: normal points, uniform weights, the cost |x - y|^2 / 2.
struct PairProblem {
  uint32_t rows;     // points of the query
  uint32_t columns;  // points of each stored cloud
  uint32_t dim;
  uint32_t clouds;
  double epsilon;
  double tolerance;
  uint32_t iterations;  // at most

  std::vector<float> query;         // rows x dim
  std::vector<float> stored;        // clouds x columns x dim
  std::vector<double> row_weights;  // rows
  std::vector<double> weights;      // clouds x columns
  std::vector<uint32_t> row_offsets;
  std::vector<uint32_t> offsets;

  std::string name() const;
};

PairProblem make_pairs(uint32_t rows, uint32_t columns, uint32_t dim, uint32_t clouds, uint64_t seed);

// Stored clouds on a device, with owners.
class Clouds {
 public:
  Clouds(const Device& device, Lane& lane, const PairProblem& problem);
  ~Clouds();
  Clouds(const Clouds&) = delete;
  Clouds& operator=(const Clouds&) = delete;
  const EngramClouds* get() const noexcept { return clouds_; }

 private:
  const EngramDeviceTable& table_;
  EngramClouds* clouds_ = nullptr;
};

struct PairAnswers {
  std::vector<EngramPairSolution> solutions;
  std::vector<double> potentials;   // clouds x columns
  std::vector<double> transforms;   // clouds x rows; empty where they were not asked for
  std::vector<double> projections;  // clouds x rows x dim; likewise
};

// All pairs, each from the potential 0. `resident` null: the stored clouds pass through the device.
PairAnswers solve(const Device& device, Lane& lane, const Clouds* resident, const PairProblem& problem,
                  bool projects);

// What is wrong with the first `compared` answers; empty: each certificate holds the value that Sinkhorn
// iterations in double precision converge to, and what was projected follows from the potential.
std::string judge(const PairProblem& problem, const PairAnswers& answers, uint32_t compared);

}  // namespace engram::device_test
