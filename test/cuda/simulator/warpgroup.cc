#include "warpgroup.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "block.h"
#include "defect.h"
#include "small_floats.h"
#include "warp_matrices.h"

namespace engram::simulator {
namespace {

constexpr uint32_t kWarps = 4;
constexpr uint32_t kDepth = 16;
constexpr uint32_t kWarpRows = 16;
constexpr uint32_t kAllLanes = 0xFFFFFFFFU;
constexpr uint32_t kUnderWay = 0x7FA0'BEEF;  // a NaN that arithmetic changes

enum class Kind : uint8_t { kFence, kProduct, kClose, kWait, kSetRegisters };

// An instruction, as far as all threads of the warpgroup give it alike.
struct Instruction {
  Kind kind;
  uint32_t number = 0;  // of accumulators, of groups left open, of registers
  bool flag = false;    // add, grow
  TileElement element{};
  bool a_in_registers = false;
  bool b_down_rows = false;
  uint64_t a = 0;
  uint64_t b = 0;

  bool operator==(const Instruction&) const = default;
};

// What a lane brings.
struct Call {
  Instruction instruction;
  const TileProduct* product = nullptr;
};

// ---- Operands in shared memory ----

struct Operand {
  uint32_t start;
  uint32_t leading;  // bytes from 64 columns to the next
  uint32_t stride;   // bytes from 8 rows to the next
};

Operand operand_of(uint64_t descriptor) {
  constexpr uint64_t kFields = 0x3FFF | 0x3FFFULL << 16 | 0x3FFFULL << 32 | 3ULL << 62;
  constexpr uint64_t kSwizzle128 = 1;
  if (descriptor >> 62 != kSwizzle128) report_defect("an operand is not swizzled over 128 bytes");
  if ((descriptor & ~kFields) != 0) report_defect("an operand has a base offset, or bits that mean nothing");
  const auto field = [&](int at) { return static_cast<uint32_t>(descriptor >> at & 0x3FFF) << 4; };
  return {field(0), field(16), field(32)};
}

// Eight elements at an address before the swizzle.
void read_piece(uint32_t address, uint16_t (&piece)[8]) {
  const uint32_t swizzled = address ^ (address >> 7 & 7) << 4;
  std::memcpy(piece, at_shared_address(swizzled, sizeof piece, sizeof piece), sizeof piece);
}

using Value = float (*)(uint16_t);
Value value_of(TileElement element) { return element == TileElement::kFloat16 ? f16_value : bf16_value; }

// Rows of kDepth values.
using Rows = std::vector<std::array<float, kDepth>>;

// `count` rows from the operand's row `first` on, what is summed over running along them.
Rows read_along(uint64_t descriptor, uint32_t first, uint32_t count, Value value) {
  const Operand operand = operand_of(descriptor);
  Rows rows(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t row = first + i;
    for (uint32_t k = 0; k < kDepth; k += 8) {
      uint16_t piece[8];
      read_piece(operand.start + row / 8 * operand.stride + row % 8 * 128 + k * 2, piece);
      for (uint32_t j = 0; j < 8; ++j) rows[i][k + j] = value(piece[j]);
    }
  }
  return rows;
}

// The columns of an operand, what is summed over running down its rows.
Rows read_down(uint64_t descriptor, uint32_t count, Value value) {
  const Operand operand = operand_of(descriptor);
  Rows columns(count);
  for (uint32_t k = 0; k < kDepth; ++k) {
    for (uint32_t n = 0; n < count; n += 8) {
      uint16_t piece[8];
      read_piece(operand.start + n / 64 * operand.leading + k / 8 * operand.stride + k % 8 * 128 + n % 64 * 2,
                 piece);
      for (uint32_t j = 0; j < 8; ++j) columns[n + j][k] = value(piece[j]);
    }
  }
  return columns;
}

// ---- Products of a warp ----

// The accumulators of a warp while products of theirs are under way: the registers hold kUnderWay.
struct Accumulators {
  std::array<float*, kWarpLanes> registers;
  uint32_t count;
  uint32_t under_way = 0;     // products
  std::vector<float> values;  // of each lane

  Accumulators(const std::array<float*, kWarpLanes>& of_lanes, uint32_t of_a_lane)
      : registers(of_lanes), count(of_a_lane), values(kWarpLanes * size_t{of_a_lane}) {
    for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
      std::memcpy(&values[size_t{lane} * count], registers[lane], count * sizeof(float));
      for (uint32_t i = 0; i < count; ++i) std::memcpy(registers[lane] + i, &kUnderWay, sizeof kUnderWay);
    }
  }
  void give_back() const {
    for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
      for (uint32_t i = 0; i < count; ++i) {
        if (std::memcmp(registers[lane] + i, &kUnderWay, sizeof kUnderWay) != 0) {
          report_defect("accumulators were written while a product was under way");
        }
      }
      std::memcpy(registers[lane], &values[size_t{lane} * count], count * sizeof(float));
    }
  }
};

struct Pending {
  Instruction instruction;
  Accumulators* accumulators;
  std::array<const uint32_t*, kWarpLanes> a_registers;
  std::array<std::array<uint32_t, 4>, kWarpLanes> a_values;
  uint32_t group;
};

Rows read_registers(const Pending& product, Value value) {
  Rows rows(kWarpRows);
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    const auto& a = product.a_values[lane];
    if (std::memcmp(product.a_registers[lane], a.data(), sizeof a) != 0) {
      report_defect("registers of an operand were written while a product was under way");
    }
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t row = lane / 4 + i % 2 * 8;
      const uint32_t k = lane % 4 * 2 + i / 2 * 8;
      rows[row][k] = value(static_cast<uint16_t>(a[i]));
      rows[row][k + 1] = value(static_cast<uint16_t>(a[i] >> 16));
    }
  }
  return rows;
}

// Of rows 16 `warp` and on. Rounded as mma is.
void carry_out(const Pending& product, uint32_t warp) {
  constexpr uint32_t kAtOnce = 8;
  const Instruction& instruction = product.instruction;
  const Value value = value_of(instruction.element);
  const uint32_t columns = instruction.number * 2;
  const Rows a = instruction.a_in_registers ? read_registers(product, value)
                                            : read_along(instruction.a, warp * kWarpRows, kWarpRows, value);
  const Rows b = instruction.b_down_rows ? read_down(instruction.b, columns, value)
                                         : read_along(instruction.b, 0, columns, value);
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    for (uint32_t i = 0; i < instruction.number; ++i) {
      float& d = product.accumulators->values[size_t{lane} * instruction.number + i];
      if (!instruction.flag) d = 0;
      const auto& row = a[lane / 4 + i % 4 / 2 * 8];
      const auto& column = b[i / 4 * 8 + lane % 4 * 2 + i % 2];
      for (uint32_t first = 0; first < kDepth; first += kAtOnce) {
        double sum = d;
        for (uint32_t k = first; k < first + kAtOnce; ++k) sum += static_cast<double>(row[k]) * column[k];
        d = truncated(sum);
      }
    }
  }
}

class Warp {
 public:
  void fence() { fenced_ = true; }
  void close() { ++group_; }

  void begin(void* const* operands) {
    const Instruction& instruction = static_cast<const Call*>(operands[0])->instruction;
    std::array<float*, kWarpLanes> registers{};
    Pending product{instruction, nullptr, {}, {}, group_};
    for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
      const TileProduct& of_lane = *static_cast<const Call*>(operands[lane])->product;
      registers[lane] = of_lane.d;
      product.a_registers[lane] = of_lane.a_registers;
      if (of_lane.a_registers == nullptr) continue;
      std::memcpy(product.a_values[lane].data(), of_lane.a_registers, sizeof product.a_values[lane]);
    }
    product.accumulators = &accumulators_of(registers, instruction.number);
    ++product.accumulators->under_way;
    pending_.push_back(product);
  }

  void wait(uint32_t open, uint32_t warp) {
    fenced_ = false;
    while (!pending_.empty() && pending_.front().group + open < group_) {
      Pending& product = pending_.front();
      carry_out(product, warp);
      --product.accumulators->under_way;
      pending_.pop_front();
    }
    accumulators_.remove_if([](const Accumulators& accumulators) {
      if (accumulators.under_way != 0) return false;
      accumulators.give_back();
      return true;
    });
  }

  bool idle() const { return pending_.empty(); }

 private:
  Accumulators& accumulators_of(const std::array<float*, kWarpLanes>& registers, uint32_t count) {
    for (Accumulators& accumulators : accumulators_) {
      if (accumulators.registers == registers && accumulators.count == count) return accumulators;
    }
    if (!fenced_) report_defect("a product is begun on registers without a fence before it");
    return accumulators_.emplace_back(registers, count);
  }

  bool fenced_ = false;  // since the last wait
  uint32_t group_ = 0;   // the one not closed
  std::deque<Pending> pending_;
  std::list<Accumulators> accumulators_;
};

// ---- Warpgroups ----

class Warpgroup {
 public:
  // The warp's next instruction is as that of the warps that were there before.
  void give(uint32_t warp, const Instruction& instruction) {
    const uint64_t at = given_[warp]++ - forgotten_;
    if (at == instructions_.size()) instructions_.push_back(instruction);
    if (!(instructions_[at] == instruction)) {
      report_defect("the warps of a warpgroup give different instructions");
    }
    for (; forgotten_ < *std::min_element(given_.begin(), given_.end()); ++forgotten_)
      instructions_.pop_front();
  }
  bool have_all_come_to(uint64_t given) const { return *std::ranges::min_element(given_) >= given; }
  uint64_t given(uint32_t warp) const { return given_[warp]; }
  Warp& warp(uint32_t number) { return warps_[number]; }

  void check() const {
    if (!have_all_come_to(*std::ranges::max_element(given_))) {
      report_defect("a warp ended without an instruction that others of its warpgroup have given");
    }
    if (!std::ranges::all_of(warps_, &Warp::idle)) {
      report_defect("a block ended before products that nobody waited for");
    }
  }

 private:
  std::array<uint64_t, kWarps> given_{};  // instructions
  uint64_t forgotten_ = 0;                // of them, those that all have given
  std::deque<Instruction> instructions_;  // the others
  std::array<Warp, kWarps> warps_;
};

class Warpgroups : public BlockPart {
 public:
  void check() const override {
    for (const auto& [number, group] : groups_) group.check();
  }
  static Warpgroup& of_thread() {
    auto& part = block_part(PartKind::kWarpgroups);
    if (part == nullptr) part = std::make_unique<Warpgroups>();
    const uint32_t number = thread_number() / (kWarps * kWarpLanes);
    if ((number + 1) * kWarps * kWarpLanes > threads_of_block()) {
      report_defect("an instruction of a warpgroup in one that is not whole");
    }
    return static_cast<Warpgroups&>(*part).groups_[number];
  }

 private:
  std::map<uint32_t, Warpgroup> groups_;
};

uint32_t warp_in_group() { return thread_number() / kWarpLanes % kWarps; }

void perform(void* const* operands, uint32_t) {
  const Instruction& instruction = static_cast<const Call*>(operands[0])->instruction;
  for (uint32_t lane = 1; lane < kWarpLanes; ++lane) {
    if (!(static_cast<const Call*>(operands[lane])->instruction == instruction)) {
      report_defect("the lanes of a warp give different instructions of a warpgroup");
    }
  }
  Warpgroup& group = Warpgroups::of_thread();
  group.give(warp_in_group(), instruction);
  Warp& warp = group.warp(warp_in_group());
  if (instruction.kind == Kind::kFence) warp.fence();
  if (instruction.kind == Kind::kClose) warp.close();
  if (instruction.kind == Kind::kProduct) warp.begin(operands);
}

void give(const char* what, const Call& call) {
  Call own = call;
  do_as_warp(what, perform, kAllLanes, &own);
}

struct Meeting {
  const Warpgroup* group;
  uint64_t given;
};
bool have_all_come(const void* argument) {
  const auto& meeting = *static_cast<const Meeting*>(argument);
  return meeting.group->have_all_come_to(meeting.given);
}

void perform_wait(void* const* operands, uint32_t) {
  Warpgroups::of_thread()
      .warp(warp_in_group())
      .wait(*static_cast<const uint32_t*>(operands[0]), warp_in_group());
}

}  // namespace

void begin_product(const TileProduct& product) {
  if (product.count == 0 || product.count > 128 || product.count % 4 != 0) {
    report_defect("a product of a warpgroup is of 8 to 256 columns");
  }
  const bool in_registers = product.a_registers != nullptr;
  give("wgmma", {{.kind = Kind::kProduct,
                  .number = product.count,
                  .flag = product.add,
                  .element = product.element,
                  .a_in_registers = in_registers,
                  .b_down_rows = product.b_down_rows,
                  .a = in_registers ? 0 : product.a,
                  .b = product.b},
                 &product});
}
void fence_warpgroup_products() { give("wgmma.fence", {{.kind = Kind::kFence}}); }
void close_product_group() { give("wgmma.commit_group", {{.kind = Kind::kClose}}); }

void wait_for_product_groups(uint32_t open) {
  give("wgmma.wait_group", {{.kind = Kind::kWait, .number = open}});
  const Warpgroup& group = Warpgroups::of_thread();
  const Meeting meeting{&group, group.given(warp_in_group())};
  wait_until("the other warps of its warpgroup", have_all_come, &meeting);
  give_way();
  do_as_warp("wgmma.wait_group", perform_wait, kAllLanes, &open);
}

void set_registers(uint32_t registers, bool grow) {
  if (registers < 24 || registers > 256 || registers % 8 != 0) {
    report_defect("a thread has 24 to 256 registers, a multiple of 8");
  }
  give("setmaxnreg", {{.kind = Kind::kSetRegisters, .number = registers, .flag = grow}});
}

}  // namespace engram::simulator
