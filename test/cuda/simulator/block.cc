#include "block.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "defect.h"
#include "fiber.h"
#include "shared_memory.h"

ENGRAM_THREAD_LOCAL uint3 threadIdx{};
ENGRAM_THREAD_LOCAL uint3 blockIdx{};
ENGRAM_THREAD_LOCAL dim3 blockDim{};
ENGRAM_THREAD_LOCAL dim3 gridDim{};

namespace engram::simulator {
namespace {

constexpr uint32_t kBarriers = 16;
constexpr uint32_t kSharedAddresses = 1024;  // the address of the first byte; 0 is no address

// A copy in the background: bytes of global memory to 16 bytes of shared memory.
struct Copy {
  std::byte* to;
  const void* from;
  uint32_t bytes;
  uint32_t group;
};

enum class State : uint8_t { kReady, kInCollective, kAtBarrier, kUntilCondition, kGivesWay, kEnded };

struct Thread {
  Fiber fiber;
  uint3 index{};
  uint32_t number = 0;
  State state = State::kReady;
  const char* what = "";                     // it waits for
  uint32_t detail = 0;                       // mask of the collective, number of the barrier
  bool (*condition)(const void*) = nullptr;  // of kUntilCondition
  const void* argument = nullptr;
  Gathered gathered{};  // what the barrier that released it had met
  std::vector<Copy> copies;
  uint32_t copy_group = 0;  // the one not closed
};

// Lanes that have come to do something together.
struct Collective {
  const char* what;
  Perform perform;
  uint32_t mask;
  uint32_t arrived;
  std::array<void*, kWarpLanes> operands;
};

struct Barrier {
  uint32_t wanted = 0;  // 0: all that have not ended
  uint32_t arrived = 0;
  uint32_t with_nonzero = 0;
};

// The block that this host thread runs. Its threads and shared memory are used again by the next one.
class Block {
 public:
  void run(uint3 index, const Grid& grid, const std::function<void()>& kernel, uint64_t order);

  void do_as_warp(const char* what, Perform perform, uint32_t mask, void* operand);
  void arrive_at_barrier(uint32_t id, uint32_t threads, bool predicate);
  Gathered wait_at_barrier(uint32_t id, uint32_t threads, bool predicate);
  void wait_until(const char* what, bool (*condition)(const void*), const void* argument);

  void give_way() { pause(State::kGivesWay, "all others", 0); }

  bool running() const { return current_ != nullptr; }
  Thread& current() { return *current_; }
  SharedMemory& shared() { return shared_; }
  std::unique_ptr<BlockPart>& part(PartKind kind) { return parts_[static_cast<size_t>(kind)]; }
  uint32_t threads() const { return count_; }

 private:
  static void thread_main();
  void begin_threads();
  bool can_go_on(Thread& thread);
  bool run_warp(uint32_t warp);
  void resume(Thread& thread);
  void pause(State state, const char* what, uint32_t detail);
  bool resume_those_who_give_way();
  void release_barrier_if_full(uint32_t id);
  [[noreturn]] void report_deadlock() const;

  SharedMemory shared_;
  std::array<std::unique_ptr<BlockPart>, static_cast<size_t>(PartKind::kCount)> parts_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::array<std::vector<Collective>, kMostThreads / kWarpLanes> collectives_;  // open ones of each warp
  std::array<Barrier, kBarriers> barriers_{};
  const std::function<void()>* kernel_ = nullptr;
  Thread* current_ = nullptr;
  std::exception_ptr error_;
  uint32_t count_ = 0;
  uint32_t alive_ = 0;
  bool warps_backwards_ = false;
  bool lanes_backwards_ = false;
};

// This host thread's block, as the running thread of a kernel finds it.
ENGRAM_THREAD_LOCAL Block* block = nullptr;

Block& the_block() {
  if (block == nullptr || !block->running()) report_defect("a function of kernels was called outside of one");
  return *block;
}

void Block::thread_main() {
  Block& self = *block;
  try {
    (*self.kernel_)();
  } catch (...) {
    self.error_ = std::current_exception();
  }
  --self.alive_;
  self.pause(State::kEnded, "", 0);
}

void Block::begin_threads() {
  while (threads_.size() < count_) threads_.push_back(std::make_unique<Thread>());
  for (uint32_t number = 0; number < count_; ++number) {
    Thread& thread = *threads_[number];
    thread.fiber.begin(thread_main);
    thread.index = {number % blockDim.x, number / blockDim.x % blockDim.y,
                    number / (blockDim.x * blockDim.y)};
    thread.number = number;
    thread.state = State::kReady;
    thread.copies.clear();
    thread.copy_group = 0;
  }
}

void Block::run(uint3 index, const Grid& grid, const std::function<void()>& kernel, uint64_t order) {
  blockIdx = index;
  blockDim = grid.threads;
  gridDim = grid.blocks;
  kernel_ = &kernel;
  count_ = alive_ = grid.threads.x * grid.threads.y * grid.threads.z;
  warps_backwards_ = (order & 1) != 0;
  lanes_backwards_ = (order & 2) != 0;
  error_ = nullptr;
  barriers_ = {};
  for (auto& open : collectives_) open.clear();
  shared_.begin(grid.shared_bytes);
  parts_ = {};
  begin_threads();
  const uint32_t warps = (count_ + kWarpLanes - 1) / kWarpLanes;
  while (alive_ > 0) {
    bool progress = false;
    for (uint32_t i = 0; i < warps; ++i) progress |= run_warp(warps_backwards_ ? warps - 1 - i : i);
    if (!progress && !resume_those_who_give_way()) report_deadlock();
  }
  shared_.check();
  for (const auto& part : parts_) {
    if (part != nullptr) part->check();
  }
}

bool Block::can_go_on(Thread& thread) {
  if (thread.state != State::kUntilCondition) return thread.state == State::kReady;
  threadIdx = thread.index;
  current_ = &thread;  // conditions look at shared memory
  const std::unique_ptr<Thread*, void (*)(Thread**)> reset(&current_, [](Thread** now) { *now = nullptr; });
  return thread.condition(thread.argument);
}

// Runs the warp until none of its lanes can go on; whether any could.
bool Block::run_warp(uint32_t warp) {
  const uint32_t first = warp * kWarpLanes;
  const uint32_t lanes = std::min(kWarpLanes, count_ - first);
  bool progress = false;
  for (bool again = true; again;) {
    again = false;
    for (uint32_t i = 0; i < lanes; ++i) {
      Thread& thread = *threads_[first + (lanes_backwards_ ? lanes - 1 - i : i)];
      if (!can_go_on(thread)) continue;
      resume(thread);
      again = progress = true;
    }
  }
  return progress;
}

// Whether there are any.
bool Block::resume_those_who_give_way() {
  bool any = false;
  for (uint32_t number = 0; number < count_; ++number) {
    Thread& thread = *threads_[number];
    if (thread.state != State::kGivesWay) continue;
    thread.state = State::kReady;
    any = true;
  }
  return any;
}

void Block::resume(Thread& thread) {
  thread.state = State::kReady;
  threadIdx = thread.index;
  current_ = &thread;
  thread.fiber.resume();
  current_ = nullptr;
  if (error_ != nullptr) std::rethrow_exception(error_);
  if (thread.state == State::kEnded) release_barrier_if_full(0);  // it may have been the last one waited for
}

void Block::pause(State state, const char* what, uint32_t detail) {
  Thread& thread = *current_;
  thread.state = state;
  thread.what = what;
  thread.detail = detail;
  thread.fiber.pause();
}

void Block::do_as_warp(const char* what, Perform perform, uint32_t mask, void* operand) {
  const uint32_t warp = current_->number / kWarpLanes;
  const uint32_t lane = current_->number % kWarpLanes;
  if ((mask >> lane & 1) == 0) report_defect(std::string(what) + ": the mask does not name the calling lane");
  std::vector<Collective>& open = collectives_[warp];
  size_t at = 0;
  while (at < open.size() && open[at].mask != mask) ++at;
  if (at == open.size()) open.push_back({what, perform, mask, 0, {}});
  Collective& collective = open[at];
  if (collective.perform != perform) {
    report_defect(std::string("lanes of a warp do different things together: ") + collective.what + " and " +
                  what);
  }
  collective.operands[lane] = operand;
  collective.arrived |= 1U << lane;
  if (collective.arrived != mask) {
    pause(State::kInCollective, what, mask);
    return;
  }
  const Collective complete = collective;
  open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
  perform(complete.operands.data(), mask);
  for (uint32_t other = 0; other < kWarpLanes; ++other) {
    if ((mask >> other & 1) != 0) threads_[warp * kWarpLanes + other]->state = State::kReady;
  }
}

void Block::arrive_at_barrier(uint32_t id, uint32_t threads, bool predicate) {
  if (id >= kBarriers) report_defect("a block has 16 barriers");
  if (threads % kWarpLanes != 0) report_defect("a barrier is for whole warps");
  Barrier& barrier = barriers_[id];
  if (barrier.arrived != 0 && barrier.wanted != threads) {
    report_defect("barrier " + std::to_string(id) + " is used for different numbers of threads at once");
  }
  barrier.wanted = threads;
  ++barrier.arrived;
  barrier.with_nonzero += predicate ? 1 : 0;
  release_barrier_if_full(id);
}

Gathered Block::wait_at_barrier(uint32_t id, uint32_t threads, bool predicate) {
  Thread& thread = *current_;
  thread.state = State::kAtBarrier;
  thread.detail = id;
  arrive_at_barrier(id, threads, predicate);
  if (thread.state == State::kAtBarrier) pause(State::kAtBarrier, "barrier", id);
  return thread.gathered;
}

void Block::release_barrier_if_full(uint32_t id) {
  Barrier& barrier = barriers_[id];
  if (barrier.arrived == 0 || barrier.arrived < (barrier.wanted == 0 ? alive_ : barrier.wanted)) return;
  for (uint32_t number = 0; number < count_; ++number) {
    Thread& thread = *threads_[number];
    if (thread.state != State::kAtBarrier || thread.detail != id) continue;
    thread.state = State::kReady;
    thread.gathered = {barrier.arrived, barrier.with_nonzero};
  }
  barrier = {};
}

void Block::wait_until(const char* what, bool (*condition)(const void*), const void* argument) {
  if (condition(argument)) return;
  current_->condition = condition;
  current_->argument = argument;
  pause(State::kUntilCondition, what, 0);
}

std::string text(uint3 v) {
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "(%u, %u, %u)", v.x, v.y, v.z);
  return numbers;
}

std::string waits_for(const Thread& thread) {
  if (thread.state == State::kAtBarrier) return "barrier " + std::to_string(thread.detail);
  if (thread.state != State::kInCollective) return thread.what;
  char mask[16];
  std::snprintf(mask, sizeof mask, "0x%08x", thread.detail);
  return std::string(thread.what) + " of lanes " + mask;
}

// "threads 0-31 wait for barrier 0; threads 32-40 have ended; ..."
void Block::report_deadlock() const {
  std::string report = "deadlock in block " + text(blockIdx) + ":";
  for (uint32_t first = 0; first < count_;) {
    const Thread& thread = *threads_[first];
    const std::string what = thread.state == State::kEnded ? "ended" : "waits for " + waits_for(thread);
    uint32_t end = first + 1;
    while (end < count_ && (threads_[end]->state == State::kEnded) == (thread.state == State::kEnded) &&
           (thread.state == State::kEnded || waits_for(*threads_[end]) == waits_for(thread))) {
      ++end;
    }
    report += "\n  thread " + std::to_string(first);
    if (end - first > 1) report += " to " + std::to_string(end - 1);
    report += " " + what;
    first = end;
  }
  report_defect(report);
}

bool aligned(const void* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

}  // namespace

void run_grid(const Grid& grid, const std::function<void()>& kernel) {
  static thread_local Block own;
  block = &own;
  static std::atomic<uint64_t> blocks_run{0};
  const uint64_t blocks = uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
  const uint64_t order = blocks_run.fetch_add(blocks);
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t number = (order & 4) != 0 ? blocks - 1 - i : i;
    const uint3 index = {static_cast<uint32_t>(number % grid.blocks.x),
                         static_cast<uint32_t>(number / grid.blocks.x % grid.blocks.y),
                         static_cast<uint32_t>(number / (uint64_t{grid.blocks.x} * grid.blocks.y))};
    own.run(index, grid, kernel, order + i);
  }
}

std::string where_running() {
  if (block == nullptr || !block->running()) return "";
  return " (block " + text(blockIdx) + ", thread " + text(threadIdx) + ")";
}

bool is_beyond_stack(const void* address) {
  return block != nullptr && block->running() && block->current().fiber.guards(address);
}

void do_as_warp(const char* what, Perform perform, uint32_t mask, void* operand) {
  the_block().do_as_warp(what, perform, mask, operand);
}
Gathered wait_at_barrier(uint32_t id, uint32_t threads, bool predicate) {
  return the_block().wait_at_barrier(id, threads, predicate);
}
void arrive_at_barrier(uint32_t id, uint32_t threads) { the_block().arrive_at_barrier(id, threads, false); }
void wait_until(const char* what, bool (*condition)(const void* argument), const void* argument) {
  the_block().wait_until(what, condition, argument);
}
void give_way() { the_block().give_way(); }
uint32_t thread_number() { return the_block().current().number; }
uint32_t lane_number() { return the_block().current().number % kWarpLanes; }

std::unique_ptr<BlockPart>& block_part(PartKind kind) { return the_block().part(kind); }
uint32_t threads_of_block() { return the_block().threads(); }

std::byte* shared_memory() { return the_block().shared().data(); }
size_t shared_bytes() { return the_block().shared().size(); }

uint32_t shared_address(const void* pointer) {
  const SharedMemory& shared = the_block().shared();
  const auto offset = static_cast<const std::byte*>(pointer) - shared.data();
  if (offset < 0 || static_cast<size_t>(offset) > shared.size()) {
    report_defect("a pointer that is not into shared memory is used as one");
  }
  return kSharedAddresses + static_cast<uint32_t>(offset);
}

std::byte* at_shared_address(uint32_t address, size_t bytes, size_t alignment) {
  const SharedMemory& shared = the_block().shared();
  if (address < kSharedAddresses || address - kSharedAddresses + bytes > shared.size()) {
    report_defect("an instruction leaves the shared memory: byte " +
                  std::to_string(int64_t{address} - kSharedAddresses) + " of " +
                  std::to_string(shared.size()));
  }
  if (address % alignment != 0) {
    report_defect("an address in shared memory is no multiple of " + std::to_string(alignment));
  }
  return shared.data() + (address - kSharedAddresses);
}

void begin_copy(std::byte* shared, const void* global, uint32_t bytes) {
  constexpr uint32_t kBytes = 16;
  if (bytes > kBytes) report_defect("a copy in the background is of at most 16 bytes");
  if (!aligned(global, kBytes)) report_defect("a copy in the background comes from an address off 16 bytes");
  std::byte* const to = at_shared_address(shared_address(shared), kBytes, kBytes);
  std::memset(to, kPoison, kBytes);
  Thread& thread = the_block().current();
  thread.copies.push_back({to, global, bytes, thread.copy_group});
}

void close_copy_group() { ++the_block().current().copy_group; }

void wait_for_copy_groups(uint32_t open) {
  Thread& thread = the_block().current();
  size_t done = 0;
  for (const Copy& copy : thread.copies) {
    if (copy.group + open >= thread.copy_group) break;
    std::memset(copy.to, 0, 16);
    std::memcpy(copy.to, copy.from, copy.bytes);
    ++done;
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace engram::simulator
