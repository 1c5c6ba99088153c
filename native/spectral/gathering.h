// The messages of one round as one operator, in bounded memory.
//
// Messages are kept as they are while they fit into the budget, then sorted by content, so that the same
// messages make the same bits in whatever order they came. Beyond it they are merged into a sketch of bounded
// rank as they come (sketch.h), and what that leaves out counts as isotropic.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/hebbian_operator.h"
#include "spectral/sketch.h"
#include "spectral/sum_operator.h"

namespace engram::spectral {

struct GatheringOptions {
  size_t budget = size_t{256} << 20;  // bytes of factors held at a time
  size_t sketch_rank = 256;           // >= 1; cut to the dim
  SketchRule sketch = SketchRule::kIncrementalSvd;
};

class Gathering {
 public:
  Gathering(size_t dim, const GatheringOptions& options) : dim_(dim), options_(options) {}

  // Adds weight * N J of the message, whose dim is the gathering's; weight >= 0. kOutOfMemory, kAborted.
  Status add(HebbianOperator message, double weight, const runtime::Parallel& parallel);
  // All have been added. kOutOfMemory, kAborted.
  Status finish(const runtime::Parallel& parallel);

  // The sum times `scale`, after finish(). Must not outlive the gathering.
  SumOperator sum(double scale) const;
  // The trace that compression has left out, times `scale`; 0 where everything fitted.
  double discarded_trace(double scale) const;
  bool compressed() const noexcept { return sketch_.has_value(); }

 private:
  struct Part {
    HebbianOperator message;
    double weight;
  };

  Status compress(const runtime::Parallel& parallel);
  // Everything by rows with a weight each, and what is isotropic.
  void lay_out_parts();
  void lay_out_sketch();

  const size_t dim_;
  const GatheringOptions options_;
  size_t held_ = 0;  // bytes of factors in parts_
  std::vector<Part> parts_;
  double merged_rest_ = 0;  // the isotropic level of messages that the sketch took in
  std::optional<Sketch> sketch_;
  std::vector<float> rows_;
  std::vector<double> row_weights_;
  double isotropic_ = 0;
};

}  // namespace engram::spectral
