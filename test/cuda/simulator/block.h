// A running block of a kernel: its threads, how they wait for each other, and their shared memory.
//
// Each thread is a fiber that runs until it has to wait. A waiting thread that nobody can release is a
// defect, reported with what every thread waits for. Which warp and which lane goes first changes from block
// to block, so that what depends on an order shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "vector_types.h"

#if defined(__linux__)
#define ENGRAM_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local constinit
#else
#define ENGRAM_THREAD_LOCAL thread_local constinit
#endif

extern ENGRAM_THREAD_LOCAL uint3 threadIdx;
extern ENGRAM_THREAD_LOCAL uint3 blockIdx;
extern ENGRAM_THREAD_LOCAL dim3 blockDim;
extern ENGRAM_THREAD_LOCAL dim3 gridDim;
inline constexpr int warpSize = 32;

namespace engram::simulator {

inline constexpr uint32_t kWarpLanes = 32;
inline constexpr uint32_t kMostThreads = 1024;
inline constexpr unsigned char kPoison = 0xFF;  // floats: NaN

// ---- Running a kernel ----

struct Grid {
  dim3 blocks;
  dim3 threads;
  size_t shared_bytes = 0;
};
// Runs all blocks, one after the other, on the calling host thread. `kernel` is called once for each thread.
void run_grid(const Grid& grid, const std::function<void()>& kernel);
// " (block ..., thread ...)" of the thread that runs on this host thread; empty outside of kernels.
std::string where_running();
// Whether that thread ran out of its stack when it used the address.
bool is_beyond_stack(const void* address);

// ---- For the running thread ----

// Lanes of a warp do something together. Waits until all lanes named by `mask` have come with the same
// `perform`; the last to come performs it, with the operand of each lane (null for those not named), for all
// of them.
using Perform = void (*)(void* const* operands, uint32_t mask);
void do_as_warp(const char* what, Perform perform, uint32_t mask, void* operand);

struct Gathered {
  uint32_t threads;       // that came
  uint32_t with_nonzero;  // of them, those whose predicate was not zero
};
// Waits at barrier `id` (0..15) until `threads` threads have come, or all that have not ended where it is 0.
Gathered wait_at_barrier(uint32_t id, uint32_t threads, bool predicate);
// Comes to the barrier without waiting there.
void arrive_at_barrier(uint32_t id, uint32_t threads);

// Waits until condition(argument) holds; others run meanwhile. `argument` outlives the call.
void wait_until(const char* what, bool (*condition)(const void* argument), const void* argument);
// Waits until nobody else can go on: what is done in the background comes as late as it may.
void give_way();

uint32_t thread_number();  // in the block
uint32_t lane_number();    // in the warp

// ---- Shared memory of the running block ----

std::byte* shared_memory();  // 1024-aligned
size_t shared_bytes();
// The address as instructions name it, 32 bits wide; a defect where the pointer is not into shared memory.
uint32_t shared_address(const void* pointer);
// `bytes` at such an address; a defect where they leave the shared memory or are not so aligned.
std::byte* at_shared_address(uint32_t address, size_t bytes, size_t alignment);

// ---- What more a block has ----

// Made by those who need it, asked at the end of a block whose threads have all ended, and gone with the
// block.
class BlockPart {
 public:
  virtual ~BlockPart() = default;
  // Defects that show only at the end.
  virtual void check() const = 0;
};
enum class PartKind : uint8_t { kBulkCopies, kWarpgroups, kCount };
// Of the running block; null at its begin.
std::unique_ptr<BlockPart>& block_part(PartKind kind);
uint32_t threads_of_block();

// ---- Copies in the background (cp.async) ----

// Copies `bytes` (up to 16) and then zeros up to 16 when the thread waits for its group; poison until then.
void begin_copy(std::byte* shared, const void* global, uint32_t bytes);
void close_copy_group();
void wait_for_copy_groups(uint32_t open);

}  // namespace engram::simulator
