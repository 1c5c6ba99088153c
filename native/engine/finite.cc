#include "engine/finite.h"

#include "kernels/dispatch.h"

namespace engram::engine {

bool all_finite(const float* data, size_t count) { return kernels::active().all_finite(data, count); }

}  // namespace engram::engine
