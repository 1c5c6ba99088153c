// How threads of a block run and meet.
#include <cuda/launch.h>
#include <cuda_runtime.h>
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "defect.h"

using engram::cuda::dynamic_shared;
using engram::simulator::Defect;
using engram::simulator::DefectsThrow;
using engram::simulator::Grid;
using engram::simulator::run_grid;

namespace {

// What the defect of a kernel says.
std::string defect_of(const Grid& grid, const std::function<void()>& kernel) {
  const DefectsThrow throwing;
  try {
    run_grid(grid, kernel);
  } catch (const Defect& defect) {
    return defect.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a simulated grid runs every thread of every block once") {
  std::vector<int> runs(3 * 2 * 5 * 4 * 3 * 2);
  run_grid({dim3(3, 2, 5), dim3(4, 3, 2)}, [&] {
    const uint32_t block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const uint32_t thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    CHECK(thread == engram::simulator::thread_number());
    ++runs[block * 24 + thread];
  });
  CHECK(runs == std::vector<int>(runs.size(), 1));
}

TEST_CASE(
    "threads of a simulated block see what others wrote before a barrier, and poison where nobody wrote") {
  constexpr uint32_t kThreads = 1024;
  for (int repeat = 0; repeat < 4; ++repeat) {  // in each order of warps and lanes
    run_grid({dim3(3), dim3(kThreads), (kThreads + 1) * sizeof(uint32_t)}, [] {
      auto* const shared = dynamic_shared<uint32_t>();
      const uint32_t i = threadIdx.x;
      CHECK(shared[kThreads] == 0xFFFFFFFFU);
      for (uint32_t round = 1; round <= 3; ++round) {
        shared[i] = i * round;
        __syncthreads();
        CHECK(shared[(i + 33) % kThreads] == (i + 33) % kThreads * round);
        __syncthreads();
      }
      CHECK(__syncthreads_count(i % 3 == 0) == 342);
      CHECK(__syncthreads_or(i == 700) == 1);
      CHECK(__syncthreads_or(0) == 0);
      CHECK(__syncthreads_and(i != 700) == 0);
      CHECK(__syncthreads_and(1) == 1);
    });
  }
}

TEST_CASE("stacks of simulated threads leave nothing behind at their addresses") {
  // AddressSanitizer would tell: what it noted of frames must not hold for memory that comes to lie there.
  std::thread([] {
    run_grid({dim3(1), dim3(64)}, [] {
      std::array<volatile char, 4096> local{};
      local[threadIdx.x] = 1;
      __syncthreads();
    });
  }).join();
  constexpr size_t kBytes = size_t{64} << 20;
  void* const later = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(later != MAP_FAILED);
  std::memset(later, 1, kBytes);
  CHECK(munmap(later, kBytes) == 0);
}

TEST_CASE("a barrier does not wait for threads that have ended") {
  int passed = 0;
  run_grid({dim3(1), dim3(96)}, [&] {
    if (threadIdx.x >= 40) return;
    __syncthreads();
    ++passed;
  });
  CHECK(passed == 40);
}

TEST_CASE("barriers of some warps") {
  std::vector<int> seen(64);
  run_grid({dim3(1), dim3(96), 4}, [&] {
    int* const shared = dynamic_shared<int>();
    if (threadIdx.x < 32) {
      shared[0] = 7;
      engram::simulator::arrive_at_barrier(1, 96);
    } else {
      engram::simulator::wait_at_barrier(1, 96, false);
      seen[threadIdx.x - 32] = shared[0];
    }
  });
  CHECK(seen == std::vector<int>(64, 7));
}

TEST_CASE("a thread waits until another one makes a condition hold") {
  int flag = 0;
  int seen = 0;
  for (int repeat = 0; repeat < 4; ++repeat) {
    run_grid({dim3(1), dim3(64)}, [&] {
      if (threadIdx.x == 5) {
        engram::simulator::wait_until(
            "the flag", [](const void* f) { return *static_cast<const int*>(f) == 1; }, &flag);
        seen = flag;
      }
      if (threadIdx.x == 40) flag = 1;
    });
    CHECK(seen == 1);
    flag = seen = 0;
  }
}

TEST_CASE("shuffles of 32 and 64 bits") {
  run_grid({dim3(1), dim3(64)}, [] {
    const int lane = static_cast<int>(threadIdx.x % 32);
    constexpr unsigned int kAll = 0xFFFFFFFFU;
    CHECK(__shfl_sync(kAll, 3 * lane, 7) == 21);
    CHECK(__shfl_sync(kAll, 3 * lane, lane + 1) == 3 * ((lane + 1) % 32));
    CHECK(__shfl_sync(kAll, lane, 2, 8) == lane / 8 * 8 + 2);
    CHECK(__shfl_xor_sync(kAll, 0.5 * lane, 5) == 0.5 * (lane ^ 5));
    CHECK(__shfl_xor_sync(kAll, lane, 4, 8) == (lane ^ 4));
    CHECK(__shfl_xor_sync(kAll, lane, 8, 8) == ((lane & 8) != 0 ? lane - 8 : lane));
    CHECK(__shfl_up_sync(kAll, 1.5F * static_cast<float>(lane), 4U) ==
          1.5F * static_cast<float>(lane < 4 ? lane : lane - 4));
    CHECK(__shfl_up_sync(kAll, lane, 1U, 4) == (lane % 4 == 0 ? lane : lane - 1));
    CHECK(__shfl_down_sync(kAll, uint64_t{1} << lane, 3U) == uint64_t{1} << (lane > 28 ? lane : lane + 3));
    CHECK(__shfl_down_sync(kAll, lane, 1U, 16) == (lane % 16 == 15 ? lane : lane + 1));
  });
}

TEST_CASE("votes of all and of some lanes") {
  run_grid({dim3(1), dim3(32)}, [] {
    const unsigned int lane = threadIdx.x;
    CHECK(__ballot_sync(0xFFFFFFFFU, lane % 2 == 0) == 0x55555555U);
    CHECK(__any_sync(0xFFFFFFFFU, lane == 9) == 1);
    CHECK(__any_sync(0xFFFFFFFFU, 0) == 0);
    CHECK(__all_sync(0xFFFFFFFFU, lane < 32) == 1);
    CHECK(__all_sync(0xFFFFFFFFU, lane != 3) == 0);
    if (lane < 16) {  // two halves go their own ways
      CHECK(__ballot_sync(0x0000FFFFU, 1) == 0x0000FFFFU);
      CHECK(__shfl_xor_sync(0x0000FFFFU, lane, 1) == (lane ^ 1));
    } else {
      CHECK(__all_sync(0xFFFF0000U, 1) == 1);
    }
    __syncwarp();
  });
}

TEST_CASE("atomics and bits") {
  unsigned int count = 0;
  unsigned long long largest = 0;
  int smallest = 100;
  run_grid({dim3(4), dim3(33)}, [&] {
    atomicAdd(&count, 2U);
    atomicMax(&largest, 10ULL * blockIdx.x + threadIdx.x);
    atomicMin(&smallest, static_cast<int>(threadIdx.x) - 7);
  });
  CHECK(count == 264);
  CHECK(largest == 62);
  CHECK(smallest == -7);
  CHECK(atomicCAS(&count, 264U, 1U) == 264);
  CHECK(atomicCAS(&count, 264U, 2U) == 1);
  CHECK(atomicExch(&count, 5U) == 1);
  CHECK(atomicOr(&count, 8U) == 5);
  CHECK(count == 13);
  CHECK(__brev(1U) == 0x80000000U);
  CHECK(__brev(0x0F000001U) == 0x800000F0U);
  CHECK(__clz(1) == 31);
  CHECK(__clz(0) == 32);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(8) == 4);
  CHECK(__funnelshift_l(0x80000000U, 1U, 1) == 3U);
  CHECK(__funnelshift_r(0U, 1U, 1) == 0x80000000U);
}

TEST_CASE("a deadlock is reported with what each thread waits for") {
  const std::string text = defect_of({dim3(2), dim3(64)}, [] {
    if (threadIdx.x == 40) return;
    if (threadIdx.x < 32) {
      __syncthreads();
    } else {
      __syncwarp();
    }
  });
  CHECK(says(text, "deadlock in block ("));
  CHECK(says(text, "thread 0 to 31 waits for barrier 0"));
  CHECK(says(text, "thread 32 to 39 waits for __syncwarp of lanes 0xffffffff"));
  CHECK(says(text, "thread 40 ended"));
  CHECK(says(text, "thread 41 to 63 waits for __syncwarp"));
}

TEST_CASE("defects of kernels are reported") {
  CHECK(says(defect_of({dim3(1), dim3(32)},
                       [] {
                         if (threadIdx.x % 2 == 0) {
                           __syncwarp();
                         } else {
                           __ballot_sync(0xFFFFFFFFU, 1);
                         }
                       }),
             "different things together"));
  CHECK(says(defect_of({dim3(1), dim3(32)}, [] { __syncwarp(0xFFFF); }), "does not name the calling lane"));
  CHECK(says(defect_of({dim3(1), dim3(32)},
                       [] {
                         if (threadIdx.x < 16) __shfl_sync(0xFFFF, 1, 20);
                       }),
             "from a lane that the mask does not name"));
#if !defined(__SANITIZE_ADDRESS__)  // it sees them itself
  CHECK(says(defect_of({dim3(1), dim3(1), 10}, [] { dynamic_shared<char>()[10] = 1; }), "wrote behind"));
  CHECK(says(defect_of({dim3(1), dim3(1), 10}, [] { dynamic_shared<char>()[-1] = 1; }), "wrote before"));
#endif
  CHECK(says(defect_of({dim3(1), dim3(2)},
                       [] {
                         if (threadIdx.x == 1) __trap();
                       }),
             "__trap() (block (0, 0, 0), thread (1, 0, 0))"));
  CHECK(says(defect_of({dim3(1), dim3(1), 16}, [] { __cvta_generic_to_shared(&threadIdx); }),
             "not into shared"));
  int ran = 0;  // and the next kernel runs
  run_grid({dim3(1), dim3(64)}, [&] { __syncthreads(), ++ran; });
  CHECK(ran == 64);
}
