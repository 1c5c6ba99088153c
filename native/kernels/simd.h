// Which instruction sets the kernels are compiled for. Include before any Highway header.
//
// Every kernel source is compiled once per target by <hwy/foreach_target.h>. SSSE3 is left out (every
// x86-64 machine that lacks SSE4.1 is served by the scalar build), and so is SVE: the kernels keep arrays of
// vectors in registers, which types of unknown size do not allow; NEON serves those machines.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#include <hwy/detect_targets.h>
