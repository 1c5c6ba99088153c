#include "engine/cpu_backend.h"

#include <algorithm>
#include <atomic>
#include <cfloat>

#include "base/cpu.h"
#include "base/memory.h"
#include "engine/cpu_plan.h"
#include "engine/key_terms.h"
#include "engine/strand_fold.h"
#include "kernels/dispatch.h"
#include "runtime/pool.h"

namespace engram::engine {
namespace {

// Working memory of one thread: the scores of a tile and what the keys add to them.
struct Scratch {
  float* scores = nullptr;  // tile rows x queries of the rows layout or width of a panel
  float* norms = nullptr;   // tile rows, as the following
  float* multiplier = nullptr;
  float* bias = nullptr;

  // This thread's scratch, or null when memory is out. Kept as long as the thread.
  static const Scratch* mine() {
    thread_local Scratch scratch;
    if (scratch.scores == nullptr) scratch.allocate();
    return scratch.scores != nullptr ? &scratch : nullptr;
  }

 private:
  void allocate() {
    constexpr size_t kScores =
        std::max(kMaxPanelTileRows * kernels::kMaxPanelWidth, kMaxRowTileRows * kernels::kMaxRowQueries);
    constexpr size_t kTerms = std::max(kMaxPanelTileRows, kMaxRowTileRows);
    Result<AlignedBuffer> result = AlignedBuffer::allocate((kScores + 3 * kTerms) * sizeof(float));
    if (!result.ok()) return;
    buffer = std::move(result).value();
    scores = buffer.as<float>();
    norms = scores + kScores;
    multiplier = norms + kTerms;
    bias = multiplier + kTerms;
  }
  AlignedBuffer buffer;
};

// Asks for the part-th of `parts` pieces of [data, data + bytes) to be brought into L2: the next tile
// arrives while this one is computed.
void prefetch_part(const float* data, size_t bytes, size_t part, size_t parts) {
  constexpr size_t kLine = 64;
  const size_t lines = (bytes + kLine - 1) / kLine;
  const char* base = reinterpret_cast<const char*>(data);
  for (size_t line = lines * part / parts; line < lines * (part + 1) / parts; ++line) {
    __builtin_prefetch(base + line * kLine, 0, 2);
  }
}

// One query group over one item range.
struct Strand {
  QueryGroup group;
  uint64_t next = 0;  // first item not yet folded
  uint64_t end = 0;
  std::unique_ptr<StrandFold> fold;
  AlignedBuffer panels;  // packed queries, then scales lane by lane; panels layout only
  std::vector<Panel> layout;
};

class CpuPass final : public Pass {
 public:
  CpuPass(const ScoreFold& operation, const kernels::KernelTable& kernels)
      : op_(operation), kernels_(kernels), plan_(make_cpu_plan(operation, kernels)), shared_(operation) {
    strands_.resize(plan_.strands());
    for (uint64_t s = 0; s < plan_.strands(); ++s) {
      Strand& strand = strands_[s];
      // Neighbouring strands share a range: threads that work side by side read the same keys.
      const uint64_t range = s / plan_.groups;
      const uint64_t group = s % plan_.groups;
      strand.group.first = group * plan_.group_queries;
      strand.group.count = std::min(plan_.group_queries, op_.query_count - strand.group.first);
      strand.next = range * plan_.range_rows;
      strand.end = std::min(strand.next + plan_.range_rows, op_.count);
    }
  }

  size_t strands() const override { return strands_.size(); }
  // Merges go by query group and part of its answer; the number of parts is that of the first group, the
  // largest.
  size_t merges() const override {
    return plan_.ranges > 1 ? plan_.groups * strands_.front().fold->parts() : 0;
  }

  Slice run_slice(size_t index) override {
    Strand& strand = strands_[index];
    Slice slice;
    const Scratch* scratch = Scratch::mine();
    if (scratch == nullptr) slice.status = {StatusCode::kOutOfMemory, "no memory for a tile of scores"};
    if (slice.status.ok() && strand.fold == nullptr) slice.status = open(strand);
    const uint64_t stop = std::min(strand.next + plan_.slice_rows, strand.end);
    slice.work = (stop - strand.next) * strand.group.count;
    while (slice.status.ok() && strand.next < stop) {
      const TileRef tile = next_tile(strand.next, stop);
      slice.status =
          plan_.rows_layout ? fold_rows(strand, tile, *scratch) : fold_panels(strand, tile, *scratch);
      strand.next += tile.rows;
    }
    slice.ended = !slice.status.ok() || strand.next == strand.end;
    if (slice.ended) {
      strand.panels = AlignedBuffer();
      if (slice.status.ok() && plan_.ranges == 1) slice.status = finish(strand);
    }
    return slice;
  }

  // Ranges are merged in their order, so the rounding is always the same.
  Status merge(size_t index) override {
    StrandFold& first = *strands_[index % plan_.groups].fold;
    const size_t part = index / plan_.groups;
    if (part >= first.parts()) return {};
    for (uint64_t range = 1; range < plan_.ranges; ++range) {
      first.absorb(*strands_[range * plan_.groups + index % plan_.groups].fold, part);
    }
    return first.finish(part);
  }

 private:
  // The strand alone is the whole answer of its group.
  Status finish(Strand& strand) {
    Status status;
    for (size_t part = 0; part < strand.fold->parts() && status.ok(); ++part)
      status = strand.fold->finish(part);
    strand.fold.reset();
    return status;
  }

  Status open(Strand& strand) {
    Result<std::unique_ptr<StrandFold>> fold = make_strand_fold(op_, plan_, kernels_, strand.group, shared_);
    if (!fold.ok()) return fold.status();
    if (!plan_.rows_layout) {
      Status status = pack_queries(strand);
      if (!status.ok()) return status;
    }
    strand.fold = std::move(fold).value();
    return {};
  }

  Status pack_queries(Strand& strand) {
    strand.layout = make_panels(strand.group.count, kernels_);
    const size_t lanes = strand.layout.back().first + strand.layout.back().width;
    Result<AlignedBuffer> buffer = AlignedBuffer::allocate(lanes * (op_.dim + 1) * sizeof(float));
    if (!buffer.ok()) return buffer.status();
    strand.panels = std::move(buffer).value();
    float* scale = strand.panels.as<float>() + lanes * op_.dim;
    std::fill_n(scale, lanes, 1.0F);  // not 0: an excluded key's -inf must stay -inf in empty lanes
    for (const Panel& panel : strand.layout) {
      const uint64_t query = strand.group.first + panel.first;
      kernels_.pack_panel(op_.queries + query * op_.dim, panel.count, op_.dim, panel.width,
                          strand.panels.as<float>() + panel.first * op_.dim);
      std::copy_n(op_.scale + query, panel.count, scale + panel.first);
    }
    return {};
  }

  // The rows that follow item `first` in its block, at most a tile, at most up to `stop`.
  TileRef next_tile(uint64_t first, uint64_t stop) const {
    const auto after = std::upper_bound(op_.blocks.begin(), op_.blocks.end(), first,
                                        [](uint64_t item, const KeyBlock& b) { return item < b.first; });
    const KeyBlock& block = *(after - 1);
    const uint64_t row = first - block.first;
    TileRef tile;
    tile.keys = block.keys + row * op_.dim;
    tile.values = op_.read_keys ? tile.keys : block.values + row * op_.value_dim;
    tile.first = first;
    tile.rows = std::min<uint64_t>({plan_.tile_rows, block.rows - row, stop - first});
    return tile;
  }

  bool needs_norms() const { return op_.term != KeyTerm::kNone || op_.max_square_norm != nullptr; }

  // Raises the largest norm to those of this tile's items. A maximum does not depend on the order in which
  // strands come by. False when a norm is not finite.
  bool take_norms(size_t rows, const Scratch& scratch) const {
    if (op_.max_square_norm == nullptr) return true;
    float largest = 0;
    bool finite = true;
    for (size_t j = 0; j < rows; ++j) {
      finite = finite && scratch.norms[j] <= FLT_MAX;
      if (scratch.bias[j] >= -FLT_MAX) largest = std::max(largest, scratch.norms[j]);
    }
    std::atomic_ref<float> shared(*op_.max_square_norm);
    float known = shared.load(std::memory_order_relaxed);
    while (largest > known && !shared.compare_exchange_weak(known, largest, std::memory_order_relaxed)) {
    }
    return finite;
  }

  Status fold_rows(Strand& strand, const TileRef& tile, const Scratch& scratch) {
    const size_t queries = strand.group.count;
    float* norms = needs_norms() ? scratch.norms : nullptr;
    kernels_.row_dots({tile.keys, tile.rows, op_.dim}, op_.queries + strand.group.first * op_.dim, queries,
                      scratch.scores, norms);
    bool finite =
        key_terms(op_, tile, norms, scratch.multiplier, scratch.bias) && take_norms(tile.rows, scratch);
    for (size_t i = 0; i < queries && finite; ++i) {
      float* scores = scratch.scores + i * tile.rows;
      float max = -FLT_MAX;
      finite = kernels_.row_scores(scores, tile.rows, scratch.multiplier, scratch.bias,
                                   op_.scale[strand.group.first + i], &max);
      if (finite) strand.fold->take_row(i, scores, tile, max);
    }
    return finite ? Status() : explain_non_finite(op_, tile);
  }

  Status fold_panels(Strand& strand, const TileRef& tile, const Scratch& scratch) {
    const kernels::Tile keys{tile.keys, tile.rows, op_.dim};
    if (needs_norms()) kernels_.square_norms(keys, scratch.norms);
    bool finite = key_terms(op_, tile, scratch.norms, scratch.multiplier, scratch.bias) &&
                  take_norms(tile.rows, scratch);
    const size_t lanes = strand.layout.back().first + strand.layout.back().width;
    const float* packed = strand.panels.as<float>();
    const uint64_t after = tile.first + tile.rows;
    const TileRef ahead = after < strand.end ? next_tile(after, strand.end) : TileRef{};
    for (size_t p = 0; p < strand.layout.size() && finite; ++p) {
      const Panel& panel = strand.layout[p];
      prefetch_part(ahead.keys, ahead.rows * op_.dim * sizeof(float), p, strand.layout.size());
      float max[kernels::kMaxPanelWidth];
      std::fill_n(max, panel.width, -FLT_MAX);
      finite =
          kernels_.panel_scores(keys, packed + panel.first * op_.dim, panel.width, scratch.multiplier,
                                scratch.bias, packed + lanes * op_.dim + panel.first, scratch.scores, max);
      if (finite) strand.fold->take_panel(panel, scratch.scores, tile, max);
    }
    return finite ? Status() : explain_non_finite(op_, tile);
  }

  const ScoreFold op_;
  const kernels::KernelTable& kernels_;
  const CpuPlan plan_;
  PassShared shared_;
  std::vector<Strand> strands_;
};

class CpuBackend final : public Backend {
 public:
  DeviceFacts facts() const override {
    const CpuFacts& cpu = cpu_facts();
    return {.id = "cpu",
            .name = cpu.model,
            .available = true,
            .reason = {},
            .memory_bytes = cpu.memory_bytes,
            .instruction_set = kernels::isa_name()};
  }
  Result<std::unique_ptr<Pass>> plan(const ScoreFold& operation) const override {
    return plan_on_cpu(operation, kernels::active());
  }
  void submit(std::shared_ptr<runtime::Job> job) const override {
    runtime::Pool::instance().submit(std::move(job));
  }
  Result<std::shared_ptr<Resident>> reserve(const ResidentLayout& /*layout*/) const override {
    return std::shared_ptr<Resident>();
  }
  Result<std::shared_ptr<const PairSolver>> pair_solver(const CloudSet& /*clouds*/) const override {
    return std::shared_ptr<const PairSolver>();
  }
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend* const kBackend = new CpuBackend();  // leaked: outlives static destructors
  return *kBackend;
}

Result<std::unique_ptr<Pass>> plan_on_cpu(const ScoreFold& operation, const kernels::KernelTable& kernels) {
  return std::unique_ptr<Pass>(new CpuPass(operation, kernels));
}

}  // namespace engram::engine
