// Whether Float64 can hold what a problem needs.
#pragma once

#include "base/status.h"
#include "engine/gibbs_pair.h"

namespace engram::transport {

// kRange when exponents are so large that their rounding shows in the answer: costs spread over `spread`, and
// `rate` is log2(e) / epsilon.
Status check_exponents(double spread, double rate);

// kRange when the exponents of the pair's Gibbs kernel are so large that their rounding shows in the answer.
// Asks about the costs seen so far.
Status check_exponents(const engine::GibbsPair& pair);

}  // namespace engram::transport
