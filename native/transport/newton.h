// Newton's method on the semi-dual D(g) = <a, softmin g> + <b, g>, which is concave: where Sinkhorn
// iterations move mass between distant clusters at a rate of 1 - exp(-distance / epsilon), a few steps of
// this do it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "engine/gibbs_pair.h"
#include "transport/columns.h"
#include "transport/problem.h"

namespace engram::transport {

class Newton {
 public:
  // The Hessian is columns x columns; beyond this it is too large to factorise again and again.
  static constexpr size_t kMostColumns = 512;

  struct Step {
    double residual = 0;      // L1 residual of the second marginal before the step
    bool progressed = false;  // D has grown; false when it cannot within rounding
  };
  // One damped step from columns.z, unless the residual there is <= tolerance. Needs a kept pair. Where a
  // column's mass is far from its weight a Sinkhorn update is taken instead, which is what leads there.
  // kOutOfMemory.
  Result<Step> step(engine::GibbsPair& pair, const Measure& mu, Columns& columns, double tolerance);

 private:
  void direction(engine::GibbsPair& pair, const Measure& mu, const Columns& columns);
  bool line_search(engine::GibbsPair& pair, const Measure& mu, Columns& columns, double before);
  double dual(const Measure& mu, const Columns& columns) const;

  std::vector<double> lse_;
  std::vector<double> ones_;
  std::vector<double> column_sum_;
  std::vector<double> gram_;
  std::vector<double> direction_;  // natural units
};

}  // namespace engram::transport
