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
  // Change number `age` back, 0 the newest.
  size_t slot(size_t age) const { return (changes_ - 1 - age) % kDepth * size_; }

  size_t size_ = 0;
  const double* weights_ = nullptr;
  size_t changes_ = 0;  // taken in; the newest kDepth are kept
  bool begun_ = false;  // next_ and residual_ hold an iterate
  size_t since_extrapolation_ = 0;
  double trusted_ = 0;         // the residual before the extrapolation on trial; 0: none is
  std::vector<double> plain_;  // where to go back to from it
  std::vector<double> next_;
  std::vector<double> residual_;      // next - at
  std::vector<double> next_changes_;  // rings of kDepth vectors
  std::vector<double> residual_changes_;
};

}  // namespace engram::transport
