// Sinkhorn iterations as products with a kept Gibbs kernel.
//
// The potential of the columns is z + log2 v: z is absorbed into the kernel, the scalings v stay near 1. When
// they leave the range in which products are safe they are absorbed and the kernel is built anew, which makes
// the form right for any epsilon (Schmitzer 2019, algorithm 2). Every few iterations Anderson's extrapolation
// replaces the iterate; where the residual then grows, the plain one comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/gibbs_pair.h"
#include "transport/anderson.h"
#include "transport/columns.h"
#include "transport/problem.h"

namespace engram::transport {

// T: element type of the kernel.
template <typename T>
class ScalingIterations {
 public:
  // Begins at the potentials columns.z.
  void start(const Measure& mu, const Columns& columns);

  // Runs up to `count` iterations, fewer when the residual of one is <= tolerance. `pair` keeps the costs of
  // mu and the columns. kOutOfMemory.
  Status run(engine::GibbsPair& pair, Columns& columns, uint32_t count, double tolerance);
  // Moves what was found into columns.z.
  void absorb(Columns& columns);

  uint32_t iterations() const noexcept { return iterations_; }
  double residual() const noexcept { return residual_; }  // L1, of the second marginal, at the last iteration

 private:
  bool safe() const noexcept;
  Status build(engine::GibbsPair& pair, Columns& columns);
  void accelerate(const Columns& columns, bool anew);
  void set_scalings(const Columns& columns);

  std::vector<T> a_;
  std::vector<T> v_;
  std::vector<double> column_sum_;
  std::vector<double> lse_;
  std::vector<double> log_v_;
  std::vector<double> log_next_;
  Anderson anderson_;
  bool built_ = false;
  bool logs_are_old_ = false;  // log_v_ is not of v_
  double least_ = 1;           // extremes of v
  double most_ = 1;
  uint32_t iterations_ = 0;
  double residual_ = 0;
};

}  // namespace engram::transport
