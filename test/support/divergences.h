// Divergences between clouds, asked of a request.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "transport/requests.h"

namespace engram::support {

// All outputs of a request.
struct Answer {
  explicit Answer(size_t pairs)
      : values(pairs), bounds(pairs), iterations(pairs), residual(pairs), converged(pairs) {}
  transport::DivergenceOutputs out() {
    return {values.data(), bounds.data(), iterations.data(), residual.data(), converged.data()};
  }
  std::vector<double> values;
  std::vector<double> bounds;
  std::vector<uint32_t> iterations;
  std::vector<float> residual;
  std::vector<uint8_t> converged;
};

inline transport::SolveOptions tight_solve() {
  transport::SolveOptions options;
  options.tolerance = 1e-12;
  options.max_iterations = 20'000;
  return options;
}

inline Answer ask(const std::vector<DoubleCloud>& queries,
                  const std::shared_ptr<transport::MeasureMemory>& memory,
                  const transport::SolveOptions& options, unsigned threads = 0) {
  Answer answer(queries.size() * memory->clouds().count());
  REQUIRE(divergence_sync(memory, to_clouds(queries), options, answer.out(), threads).ok());
  return answer;
}

inline double between(const DoubleCloud& x, const DoubleCloud& y, double epsilon, double cost_scale = 0.5) {
  return ask({x}, to_memory({y}, epsilon, cost_scale), tight_solve()).values[0];
}

}  // namespace engram::support
