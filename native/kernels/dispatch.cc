#include "kernels/dispatch.h"

#include <cstdlib>

#include "kernels/simd.h"

// Compiled once per target: each pass defines HWY_NAMESPACE::table().
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dispatch.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/panel-inl.h"
#include "kernels/row-inl.h"
#include "kernels/signs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {

extern const GibbsTable kGibbsTable;  // gibbs.cc

const KernelTable& table() {
  static constexpr KernelTable kTable = {
#if HWY_TARGET == HWY_AVX3
      .isa = "avx512",
#elif HWY_TARGET == HWY_AVX2
      .isa = "avx2",
#elif HWY_TARGET == HWY_SSE4
      .isa = "sse4",
#elif HWY_TARGET == HWY_NEON
      .isa = "neon",
#else
      .isa = "scalar",
#endif
      .row_step = panel::kRows,
      .panel_widths = {panel::kLanes, 2 * panel::kLanes},
      .square_norms = square_norms,
      .all_finite = all_finite,
      .pack_panel = pack_panel,
      .panel_scores = panel_scores,
      .panel_exp = panel_exp,
      .panel_readout = panel_readout,
      .panel_above = panel_above,
      .row_dots = row_dots,
      .row_scores = row_scores,
      .row_exp = row_exp,
      .row_readout = row_readout,
      .sign_bits = sign_bits,
      .sign_differences = sign_differences,
      .gibbs = &kGibbsTable,
  };
  return kTable;
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engram::kernels {
namespace {

// Tables this CPU can run, best first. The CPU is asked through the compiler's own detection, which
// also checks that the operating system saves the wide registers.
std::vector<const KernelTable*> runnable() {
  std::vector<const KernelTable*> tables;
#if HWY_TARGETS & HWY_AVX3
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd")) {
    tables.push_back(&N_AVX3::table());
  }
#endif
#if HWY_TARGETS & HWY_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    tables.push_back(&N_AVX2::table());
  }
#endif
#if HWY_TARGETS & HWY_SSE4
  if (__builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("pclmul")) {
    tables.push_back(&N_SSE4::table());
  }
#endif
#if HWY_TARGETS & HWY_NEON
  tables.push_back(&N_NEON::table());
#endif
#if HWY_TARGETS & HWY_SCALAR
  tables.push_back(&N_SCALAR::table());
#endif
  return tables;
}

struct Choice {
  std::vector<const KernelTable*> tables = runnable();
  const KernelTable* table = tables.front();
  std::string warning;

  Choice() {
    const char* wanted = std::getenv("ENGRAM_ISA");
    if (wanted == nullptr || *wanted == '\0') return;
    for (const KernelTable* candidate : tables) {
      if (wanted == std::string(candidate->isa)) {
        table = candidate;
        return;
      }
    }
    warning = "ENGRAM_ISA=" + std::string(wanted) + " is not available on this CPU; using " + table->isa;
  }
};

// Leaked: pool threads may still compute while static destructors run.
const Choice& choice() {
  static const Choice* const kChoice = new Choice();
  return *kChoice;
}

}  // namespace

const KernelTable& active() { return *choice().table; }

const char* isa_name() { return active().isa; }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const KernelTable* table : choice().tables) names.emplace_back(table->isa);
  return names;
}

Result<const KernelTable*> table_for(const std::string& isa) {
  std::string available;
  for (const KernelTable* table : choice().tables) {
    if (isa == table->isa) return table;
    available += (available.empty() ? "" : ", ") + std::string(table->isa);
  }
  return Status(StatusCode::kRange,
                "instruction set '" + isa + "' is not available; available: " + available);
}

const std::string& dispatch_warning() { return choice().warning; }

}  // namespace engram::kernels
#endif  // HWY_ONCE
