// Barriers in shared memory (mbarrier) and copies of boxes of a matrix that report to them.
//
// A barrier is the 64 bits in shared memory, as on the device, though bits mean something else. A copy leaves
// poison at first; it is carried out when a thread waits for its barrier and nobody else has yet to arrive,
// as late as can be told.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace engram::simulator {

void init_shared_barrier(uint64_t* barrier, uint32_t arrivals);
// Those that were initialized may be used by copies from here on: a defect before.
void publish_shared_barriers();
void arrive_at_shared_barrier(uint64_t* barrier, uint32_t expected_bytes);
// Until the phase of this parity has ended; the one before the first counts as odd.
void wait_at_shared_barrier(uint64_t* barrier, uint32_t parity);

void begin_box_copy(void* shared, const CUtensorMap* map, int32_t column, int32_t row, uint64_t* barrier);

}  // namespace engram::simulator
