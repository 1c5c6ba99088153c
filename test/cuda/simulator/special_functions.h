// Functions of the special function unit.
#pragma once

namespace engram::simulator {

// ex2.approx.ftz.f32 and lg2.approx.ftz.f32: no subnormal numbers; off by a unit in the last place for two of
// three arguments, unless the result is a power of two (an integer), zero or not finite.
float approximate_exp2(float x);
float approximate_log2(float x);

}  // namespace engram::simulator
