// The backend every machine has.
#pragma once

#include "engine/backend.h"
#include "kernels/kernel_table.h"

namespace engram::engine {

const Backend& cpu_backend();

// A pass on the kernels of one instruction set; cpu_backend() uses the active one, tests use each.
Result<std::unique_ptr<Pass>> plan_on_cpu(const ScoreFold& operation, const kernels::KernelTable& kernels);

}  // namespace engram::engine
