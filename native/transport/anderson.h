// Anderson acceleration of a fixed-point iteration z <- Phi(z) (type II, weighted; Walker & Ni 2011).
#pragma once

#include <cstddef>
#include <vector>

namespace engram::transport {

class Anderson {
 public:
  static constexpr size_t kDepth = 5;

  // Forgets all history; vectors have `size` numbers. `weights` (size, >= 0, to live on) define the norm that
  // is minimised.
  void reset(size_t size, const double* weights);
  // Takes in next = Phi(at) and the residual at `at`, and leaves in `next` what to go on from: as a rule
  // Phi(at), every few iterations an extrapolation, and where the last extrapolation has raised the residual
  // the iterate before it. True when `next` is not Phi(at).
  bool propose(const double* at, double* next, double residual);

 private:
  void add(const double* at, const double* next);
  bool extrapolate(double* out) const;
  const double* row(const std::vector<double>& ring, size_t age) const {
    return ring.data() + (added_ - 1 - age) % (kDepth + 1) * size_;
  }

  size_t size_ = 0;
  const double* weights_ = nullptr;
  size_t added_ = 0;
  size_t since_extrapolation_ = 0;
  double trusted_ = 0;            // the residual before the extrapolation on trial; 0: none is
  std::vector<double> plain_;     // where to go back to from it
  std::vector<double> next_;      // ring of kDepth + 1 vectors
  std::vector<double> residual_;  // next - at
};

}  // namespace engram::transport
