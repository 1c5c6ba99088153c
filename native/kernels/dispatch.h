// Run-time choice of the instruction set.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "kernels/kernel_table.h"

namespace engram::kernels {

// Kernels of the instruction set in use: the best this CPU has, or the one the environment variable
// ENGRAM_ISA names ("scalar", "sse4", "avx2", "avx512", "neon"). Chosen once per process.
const KernelTable& active();

// Name of the instruction set in use, as ENGRAM_ISA spells it.
const char* isa_name();

// Instruction sets compiled in that this CPU can run, best first.
std::vector<std::string> available_isas();

// Tables by name, for tests that compare instruction sets within one process. kRange when the name is
// unknown, not compiled in, or beyond this CPU; the message lists what is available.
Result<const KernelTable*> table_for(const std::string& isa);

// Empty unless ENGRAM_ISA asked for something that could not be had (the best set is used then).
const std::string& dispatch_warning();

}  // namespace engram::kernels
