// The check at the border: input must be finite.
#pragma once

#include <cstddef>

namespace engram::engine {

// True when none of `count` elements is NaN or infinite; one vectorised read.
bool all_finite(const float* data, size_t count);

}  // namespace engram::engine
