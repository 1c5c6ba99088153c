#include "bulk_copies.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "block.h"
#include "defect.h"
#include "tensor_map.h"

namespace engram::simulator {
namespace {

constexpr uint32_t kMostArrivals = (1 << 12) - 1;
constexpr int64_t kMostBytes = (1 << 20) - 1;  // expected or come, as the PTX ISA has it
constexpr uint64_t kMark = 0x5A5A;             // of an initialized barrier

// The 64 bits of a barrier.
struct BarrierState {
  uint64_t parity : 1;  // of the current phase
  uint64_t arrivals : 12;
  uint64_t missing : 12;       // arrivals of this phase
  int64_t missing_bytes : 22;  // expected ones less those that have come
  uint64_t published : 1;
  uint64_t mark : 16;
};
static_assert(sizeof(BarrierState) == sizeof(uint64_t));

std::byte* place_of(const uint64_t* barrier) { return at_shared_address(shared_address(barrier), 8, 8); }

BarrierState read(const uint64_t* barrier) {
  BarrierState state;
  std::memcpy(&state, place_of(barrier), sizeof state);
  if (state.mark != kMark) report_defect("a barrier in shared memory is not initialized");
  return state;
}
void write(const uint64_t* barrier, const BarrierState& state) {
  std::memcpy(place_of(barrier), &state, sizeof state);
}

void add_bytes(BarrierState& state, int64_t bytes) {
  const int64_t missing = state.missing_bytes + bytes;
  if (missing > kMostBytes || missing < -kMostBytes) {
    report_defect("a phase of a barrier is of at most 2^20 - 1 bytes");
  }
  state.missing_bytes = missing;
}

void end_phase_if_complete(BarrierState& state) {
  if (state.missing != 0 || state.missing_bytes != 0) return;
  state.parity ^= 1;
  state.missing = state.arrivals;
}

struct BoxCopy {
  uint32_t to_address;
  TensorMap map;
  int64_t column;
  int64_t row;
  const uint64_t* barrier;
};

uint32_t swizzled(uint32_t address, uint32_t swizzle) { return address ^ (address >> 7 & swizzle) << 4; }

void carry_out(const BoxCopy& copy) {
  const TensorMap& map = copy.map;
  for (uint32_t i = 0; i < map.box_rows; ++i) {
    const int64_t row = copy.row + i;
    for (uint32_t j = 0; j < map.box_columns; ++j) {
      const int64_t column = copy.column + j;
      uint16_t element = 0;
      if (row >= 0 && row < static_cast<int64_t>(map.rows) && column >= 0 &&
          column < static_cast<int64_t>(map.columns)) {
        std::memcpy(&element, map.address + static_cast<uint64_t>(row) * map.row_bytes + column * 2, 2);
      }
      const uint32_t plain = copy.to_address + (i * map.box_columns + j) * 2;
      std::memcpy(at_shared_address(swizzled(plain, map.swizzle), 2, 2), &element, 2);
    }
  }
}

class BulkCopies : public BlockPart {
 public:
  static BulkCopies& of_block() {
    auto& part = block_part(PartKind::kBulkCopies);
    if (part == nullptr) part = std::make_unique<BulkCopies>();
    return static_cast<BulkCopies&>(*part);
  }

  void check() const override {
    if (!copies_.empty()) report_defect("a block ended before copies of boxes that nobody waited for");
  }

  void add_unpublished(const uint64_t* barrier) { unpublished_.push_back(barrier); }
  void publish() {
    for (const uint64_t* const barrier : unpublished_) {
      BarrierState state = read(barrier);
      state.published = 1;
      write(barrier, state);
    }
    unpublished_.clear();
  }

  void begin(const BoxCopy& copy) { copies_.push_back(copy); }
  // Those of a barrier where only bytes are missing.
  void finish(const uint64_t* barrier) {
    if (read(barrier).missing != 0) return;
    std::erase_if(copies_, [&](const BoxCopy& copy) {
      if (copy.barrier != barrier || read(barrier).missing != 0) return false;
      carry_out(copy);
      BarrierState state = read(barrier);
      add_bytes(state, -static_cast<int64_t>(copy.map.box_bytes()));
      end_phase_if_complete(state);
      write(barrier, state);
      return true;
    });
  }

 private:
  std::vector<const uint64_t*> unpublished_;
  std::vector<BoxCopy> copies_;
};

struct PhaseWait {
  const uint64_t* barrier;
  uint32_t parity;
};
bool has_ended(const void* argument) {
  const auto& wait = *static_cast<const PhaseWait*>(argument);
  if (read(wait.barrier).parity != (wait.parity & 1)) return true;
  BulkCopies::of_block().finish(wait.barrier);
  return read(wait.barrier).parity != (wait.parity & 1);
}

}  // namespace

void init_shared_barrier(uint64_t* barrier, uint32_t arrivals) {
  if (arrivals == 0 || arrivals > kMostArrivals) report_defect("a barrier for no or too many arrivals");
  write(barrier, {.parity = 0,
                  .arrivals = arrivals,
                  .missing = arrivals,
                  .missing_bytes = 0,
                  .published = 0,
                  .mark = kMark});
  BulkCopies::of_block().add_unpublished(barrier);
}

void publish_shared_barriers() { BulkCopies::of_block().publish(); }

void arrive_at_shared_barrier(uint64_t* barrier, uint32_t expected_bytes) {
  BarrierState state = read(barrier);
  if (state.missing == 0) report_defect("more arrivals at a barrier than its phase is for");
  add_bytes(state, expected_bytes);
  --state.missing;
  end_phase_if_complete(state);
  write(barrier, state);
}

void wait_at_shared_barrier(uint64_t* barrier, uint32_t parity) {
  const PhaseWait wait{barrier, parity};
  wait_until("a phase of a barrier in shared memory", has_ended, &wait);
}

void begin_box_copy(void* shared, const CUtensorMap* map, int32_t column, int32_t row, uint64_t* barrier) {
  constexpr uint32_t kAlignment = 128;
  if (read(barrier).published == 0) report_defect("a copy reports to a barrier that was not published");
  const TensorMap box = read_tensor_map(map);
  const uint32_t address = shared_address(shared);
  std::byte* const to = at_shared_address(address, box.box_bytes(), kAlignment);
  std::memset(to, kPoison, box.box_bytes());
  BulkCopies::of_block().begin({address, box, column, row, barrier});
}

}  // namespace engram::simulator
