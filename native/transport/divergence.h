// All pairs between queries and stored clouds.
#pragma once

#include <memory>

#include "transport/phased_job.h"
#include "transport/requests.h"

namespace engram::transport {

// The program of divergence(). What `out` points to must live as long as the program.
std::unique_ptr<Program> divergence_program(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                                            const SolveOptions& options, const DivergenceOutputs& out);

}  // namespace engram::transport
