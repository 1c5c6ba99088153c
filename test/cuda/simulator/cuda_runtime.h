// A subset of the CUDA runtime for the host: kernels compiled by a C++ compiler, run on simulated devices.
//
// Threads of a block are fibers of the host thread that runs the kernel; see block.h. Streams are lazy; see
// stream.h. Misuse that a device would answer with wrong numbers or a hang is a defect; see defect.h.
#pragma once

#include "kernel_language.h"
#include "runtime_api.h"
