// Which instruction sets the kernels are compiled for. Include before any Highway header.
//
// Every kernel source is compiled once per target by <hwy/foreach_target.h>. SSSE3 is left out (every
// x86-64 machine that lacks SSE4.1 is served by the scalar build).
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3)

#include <hwy/detect_targets.h>
