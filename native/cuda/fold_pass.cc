#include "cuda/fold_pass.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "cuda/check.h"
#include "cuda/devices.h"
#include "cuda/hopper_fold.h"
#include "cuda/intake.h"
#include "cuda/row_fold.h"
#include "cuda/tile_fold.h"

namespace engram::cuda {
namespace {

enum class Fold : uint32_t { kLogSumExp, kReadout, kTopK, kCandidates };
static_assert(static_cast<uint32_t>(Fold::kLogSumExp) == ENGRAM_FOLD_LOG_SUM_EXP);
static_assert(static_cast<uint32_t>(Fold::kReadout) == ENGRAM_FOLD_READOUT);
static_assert(static_cast<uint32_t>(Fold::kTopK) == ENGRAM_FOLD_TOP_K);
static_assert(static_cast<uint32_t>(Fold::kCandidates) == ENGRAM_FOLD_CANDIDATES);
static_assert(static_cast<uint32_t>(KeyTerm::kNone) == ENGRAM_TERM_NONE);
static_assert(static_cast<uint32_t>(KeyTerm::kHalfSquareNorm) == ENGRAM_TERM_HALF_SQUARE_NORM);
static_assert(static_cast<uint32_t>(KeyTerm::kReciprocalNorm) == ENGRAM_TERM_RECIPROCAL_NORM);
static_assert(static_cast<uint32_t>(Element::kFloat32) == ENGRAM_ELEMENT_F32);
static_assert(static_cast<uint32_t>(Element::kFloat16) == ENGRAM_ELEMENT_F16);
static_assert(static_cast<uint32_t>(Element::kBfloat16) == ENGRAM_ELEMENT_BF16);
static_assert(static_cast<uint32_t>(Arithmetic::kCompensated) == ENGRAM_ARITHMETIC_TF32X3);
static_assert(static_cast<uint32_t>(Arithmetic::kTf32) == ENGRAM_ARITHMETIC_TF32);
static_assert(static_cast<uint32_t>(Arithmetic::kBfloat16) == ENGRAM_ARITHMETIC_BF16);

constexpr uint64_t kFirstHits = 1 << 16;  // room for hits of one slice, until more are found
constexpr float kMostHalf = 65504.0F;

uint32_t readout_width(const EngramFold& fold) {
  if (static_cast<Fold>(fold.fold) != Fold::kReadout) return 0;
  return fold.read_keys != 0 || fold.width == 0 ? fold.dim : fold.width;
}

RowShape passing_shape(const EngramFold& fold) {
  const bool reads_values = readout_width(fold) != 0 && fold.read_keys == 0;
  return {fold.dim, reads_values ? fold.width : 0, static_cast<Element>(fold.element)};
}

bool is_softmax(const EngramFold& fold) {
  const auto kind = static_cast<Fold>(fold.fold);
  return kind == Fold::kLogSumExp || kind == Fold::kReadout;
}

Element element_of(const EngramFold& fold, const EngramFoldPart& part) {
  return part.rows == nullptr ? static_cast<Element>(fold.element)
                              : reinterpret_cast<const ResidentRows*>(part.rows)->shape().element;
}

// Queries meet rows of 16-bit floats in 16-bit floats.
Status check_halves(const EngramFold& fold) {
  const bool halves = std::any_of(fold.parts, fold.parts + fold.part_count, [&](const EngramFoldPart& part) {
    return element_of(fold, part) == Element::kFloat16;
  });
  if (!halves) return {};
  for (uint64_t i = 0; i < fold.query_count * fold.dim; ++i) {
    if (std::abs(fold.queries[i]) <= kMostHalf) continue;
    return {StatusCode::kRange, "query " + std::to_string(i / fold.dim) + " has " +
                                    std::to_string(fold.queries[i]) + " at position " +
                                    std::to_string(i % fold.dim) +
                                    "; a memory stored as f16 takes numbers up to 65504"};
  }
  return {};
}

}  // namespace

FoldPass::FoldPass(Lane& lane, const EngramFold& fold)
    : lane_(lane),
      fold_(fold),
      width_(readout_width(fold)),
      passing_(passing_shape(fold)),
      query_pitch_(pitch_of(fold.dim, Element::kFloat32)),
      softmax_(is_softmax(fold)),
      most_queries_(batch_queries(fold.query_count, fold.dim, width_)),
      slices_(cut_slices(fold, slice_rows(most_queries_, fold.dim, width_),
                         Transfer::rows_per_piece(std::max(fold.dim, passing_.width)))) {}

Result<std::unique_ptr<FoldPass>> FoldPass::begin(Lane& lane, const EngramFold& fold) {
  Status status = check_halves(fold);
  if (!status.ok()) return status;
  std::unique_ptr<FoldPass> pass(new FoldPass(lane, fold));
  status = pass->prepare();
  if (!status.ok()) return status;
  return pass;
}

FoldPass::~FoldPass() {
  cudaSetDevice(static_cast<int>(lane_.device()));
  if (wait_for_work() != cudaSuccess) cudaStreamSynchronize(stream());
  cudaGetLastError();
}

Status FoldPass::prepare() {
  Status status = use_device(lane_.device());
  if (!status.ok()) return status;
  for (Event* event : {&slice_ends_[0], &slice_ends_[1], &work_end_}) {
    Result<Event> created = Event::create(lane_.device());
    if (!created.ok()) return created.status();
    *event = std::move(created).value();
  }
  // The last batch may be smaller and go by another path: room is made for either.
  const auto rest = static_cast<uint32_t>(fold_.query_count % most_queries_);
  for (const Slice& slice : slices_) {
    const Rows rows = shaped(slice);
    if (fold_.parts[slice.part].rows == nullptr) {
      most_passing_ = std::max<uint64_t>(most_passing_, slice.count);
    }
    for (const uint32_t queries : {most_queries_, rest}) {
      if (queries == 0) continue;
      const Path path = choose_path(rows, queries, softmax_, lane_.facts());
      const uint32_t together = queries_per_launch(rows, queries, path);
      most_partials_ = std::max(most_partials_, uint64_t{splits_of(rows, path, together)} * together);
      if (path == Path::kHopper) {
        hopper_bytes_ =
            std::max(hopper_bytes_, hopper_fold_bytes(rows, {.count = queries, .pitch = query_pitch_}));
      }
    }
  }
  Cutter counted;
  cut(counted);
  status =
      lane_.workspace.reserve(Buffer::Kind::kDevice, lane_.device(), counted.used(), "the work of a call");
  if (status.ok() && most_passing_ > 0) {
    status = transfer().reserve_rows(most_passing_, std::max(fold_.dim, passing_.width));
  }
  if (status.ok()) {
    const uint64_t answer = std::max<uint64_t>(width_ * sizeof(float), fold_.k * sizeof(Ranked));
    status = transfer().reserve(most_queries_ * std::max<uint64_t>(dim() * sizeof(float), answer));
  }
  if (status.ok() && static_cast<Fold>(fold_.fold) == Fold::kCandidates)
    status = make_room_for_hits(kFirstHits);
  if (!status.ok()) return status;
  Cutter cutter(lane_.workspace.as<void>());
  arrays_ = cut(cutter);

  cudaError_t error = cudaMemsetAsync(arrays_.facts, 0, sizeof(IntakeFacts), stream());
  if (error == cudaSuccess) error = cudaMemsetAsync(arrays_.largest_norm, 0, sizeof(float), stream());
  if (error == cudaSuccess && fold_.removed_words > 0) {
    error = transfer().send(arrays_.removed, fold_.removed, fold_.removed_words);
  }
  return check(error, lane_.device(), "preparing a fold");
}

FoldPass::Arrays FoldPass::cut(Cutter& cutter) const {
  Arrays arrays;
  const uint64_t queries = most_queries_;
  arrays.packed = cutter.take<float>(queries * dim());
  arrays.queries = cutter.take<float>(queries * query_pitch_);
  arrays.scale = cutter.take<float>(queries);
  arrays.removed = cutter.take<uint64_t>(fold_.removed_words);
  arrays.facts = cutter.take<IntakeFacts>(1);
  arrays.largest_norm = cutter.take<float>(1);
  arrays.passing = passing_.cut(cutter, most_passing_);
  arrays.hopper = cutter.take<std::byte>(hopper_bytes_);
  if (softmax_) {
    arrays.softmax.max = cutter.take<float>(queries);
    arrays.softmax.sum = cutter.take<double>(queries);
    arrays.softmax_partials.max = cutter.take<float>(most_partials_);
    arrays.softmax_partials.sum = cutter.take<float>(most_partials_);
    if (width_ != 0) {
      arrays.softmax.readout = cutter.take<float>(queries * width_);
      arrays.softmax_partials.readout = cutter.take<float>(most_partials_ * width_);
    }
  } else if (static_cast<Fold>(fold_.fold) == Fold::kTopK) {
    arrays.top = cutter.take<Ranked>(queries * fold_.k);
    arrays.top_partials = cutter.take<Ranked>(most_partials_ * fold_.k);
    arrays.floor = cutter.take<float>(queries);
  } else {
    arrays.threshold = cutter.take<float>(queries);
    arrays.found = cutter.take<unsigned long long>(1);
  }
  return arrays;
}

Status FoldPass::step(bool& ended, uint64_t& work) {
  Status status = use_device(lane_.device());
  if (status.ok() && next_slice_ == 0) status = begin_batch();
  if (!status.ok()) return status;

  Rows rows;
  const size_t slice = next_slice_++;
  status = bring_in(slices_[slice], rows);
  if (status.ok()) status = fold_slice(rows);
  if (status.ok()) {
    status = check(slice_ends_[slice % 2].record(lane_.stream()), lane_.device(), "starting a fold");
  }
  if (status.ok() && slice > 0) {
    status = check(slice_ends_[(slice - 1) % 2].wait(), lane_.device(), "a fold");
  }
  if (!status.ok()) return status;
  work = uint64_t{rows.count} * batch_count_;
  if (next_slice_ == slices_.size()) {
    status = end_batch();
    next_slice_ = 0;
    batch_first_ += batch_count_;
  }
  ended = batch_first_ == fold_.query_count;
  return status;
}

Status FoldPass::begin_batch() {
  batch_count_ = static_cast<uint32_t>(std::min<uint64_t>(most_queries_, fold_.query_count - batch_first_));
  cudaError_t error =
      transfer().send(arrays_.packed, fold_.queries + batch_first_ * dim(), size_t{batch_count_} * dim());
  if (error == cudaSuccess) {
    error = take_queries(arrays_.packed, batch_count_, dim(), arrays_.queries, query_pitch_, stream());
  }
  if (error == cudaSuccess) error = transfer().send(arrays_.scale, fold_.scale + batch_first_, batch_count_);
  if (error == cudaSuccess && softmax_) {
    error = begin_softmax(arrays_.softmax, batch_count_, width_, stream());
  } else if (error == cudaSuccess && arrays_.top != nullptr) {
    error = begin_top(arrays_.top, arrays_.floor, batch_count_, fold_.k, stream());
  } else if (error == cudaSuccess) {
    error = transfer().send(arrays_.threshold, fold_.threshold + batch_first_, batch_count_);
    hits_.assign(batch_count_, {});
  }
  return check(error, lane_.device(), "bringing queries in");
}

// The slice's rows without addresses: enough to choose kernels.
Rows FoldPass::shaped(const Slice& slice) const {
  const EngramFoldPart& part = fold_.parts[slice.part];
  RowShape shape = passing_;
  RowArrays arrays = arrays_.passing;
  uint64_t row = 0;
  if (part.rows != nullptr) {
    const auto& resident = *reinterpret_cast<const ResidentRows*>(part.rows);
    shape = resident.shape();
    arrays = resident.arrays();
    row = slice.row;
  }
  Rows rows =
      shape.view(arrays, row, part.first_item + slice.row, slice.count, width_ != 0, fold_.read_keys != 0);
  rows.arithmetic = static_cast<Arithmetic>(fold_.arithmetic);
  rows.term = static_cast<KeyTerm>(fold_.term);
  rows.removed = fold_.removed_words > 0 ? arrays_.removed : nullptr;
  rows.removed_bits = fold_.removed_words * 64;
  return rows;
}

Status FoldPass::bring_in(const Slice& slice, Rows& rows) {
  rows = shaped(slice);
  const EngramFoldPart& part = fold_.parts[slice.part];
  if (part.rows != nullptr) return {};
  Status status = transfer().send_rows(part.keys + slice.row * fold_.dim, slice.count, fold_.dim,
                                       arrays_.passing.keys, passing_.key_pitch(), passing_.element,
                                       arrays_.passing.square_norms, arrays_.facts);
  if (status.ok() && passing_.width != 0) {
    status = transfer().send_rows(part.values + slice.row * passing_.width, slice.count, passing_.width,
                                  arrays_.passing.values, passing_.value_pitch(), passing_.element, nullptr,
                                  nullptr);
    if (!status.ok()) return status;
    return check(refuse_values(arrays_.passing.values, slice.count, passing_.value_pitch(), passing_.element,
                               arrays_.passing.square_norms, stream()),
                 lane_.device(), "taking rows in");
  }
  return status;
}

uint32_t FoldPass::splits_of(const Rows& rows, Path path, uint32_t queries) const {
  const uint32_t multiprocessors = lane_.facts().multiprocessors;
  switch (path) {
    case Path::kRows: return row_fold_splits(rows, multiprocessors);
    case Path::kHopper: return hopper_fold_splits(rows, queries, multiprocessors);
    case Path::kTiles: break;
  }
  return tile_fold_splits(rows, queries, multiprocessors);
}

Status FoldPass::fold_slice(const Rows& rows) {
  const Path path = choose_path(rows, batch_count_, softmax_, lane_.facts());
  const uint32_t together = queries_per_launch(rows, batch_count_, path);
  for (uint32_t first = 0; first < batch_count_; first += together) {
    const Queries queries{.data = arrays_.queries + size_t{first} * query_pitch_,
                          .scale = arrays_.scale + first,
                          .count = std::min(together, batch_count_ - first),
                          .pitch = query_pitch_};
    const uint32_t splits = splits_of(rows, path, queries.count);
    Status status;
    if (softmax_) {
      status = check(fold_softmax(rows, path, queries, first, splits), lane_.device(), "starting a fold");
    } else if (arrays_.top != nullptr) {
      status = check(fold_top(rows, path, queries, first, splits), lane_.device(), "starting a search");
    } else {
      status = fold_hits(rows, path, queries, first, splits);
    }
    if (!status.ok()) return status;
  }
  if (batch_first_ > 0) return {};
  return check(largest_norm(rows, arrays_.largest_norm, stream()), lane_.device(), "looking at norms");
}

cudaError_t FoldPass::fold_softmax(const Rows& rows, Path path, const Queries& queries, uint32_t first,
                                   uint32_t splits) {
  const SoftmaxPartials& partials = arrays_.softmax_partials;
  cudaError_t error = cudaSuccess;
  switch (path) {
    case Path::kRows: error = row_softmax(rows, queries, splits, partials, stream()); break;
    case Path::kTiles: error = tile_softmax(rows, queries, splits, partials, stream()); break;
    case Path::kHopper:
      error = hopper_softmax(rows, queries, splits, arrays_.hopper, partials, stream());
      break;
  }
  if (error != cudaSuccess) return error;
  SoftmaxState state{arrays_.softmax.max + first, arrays_.softmax.sum + first, nullptr};
  if (width_ != 0) state.readout = arrays_.softmax.readout + size_t{first} * width_;
  return combine_softmax(state, partials, splits, queries.count, width_, stream());
}

cudaError_t FoldPass::fold_top(const Rows& rows, Path path, const Queries& queries, uint32_t first,
                               uint32_t splits) {
  const TopPartials partials{.best = arrays_.top_partials, .floor = arrays_.floor + first, .k = fold_.k};
  const cudaError_t error = path == Path::kRows ? row_top(rows, queries, splits, partials, stream())
                                                : tile_top(rows, queries, splits, partials, stream());
  if (error != cudaSuccess) return error;
  return combine_top(arrays_.top + size_t{first} * fold_.k, arrays_.floor + first, partials, splits,
                     queries.count, stream());
}

Status FoldPass::make_room_for_hits(uint64_t count) {
  return hit_buffer_.reserve(Buffer::Kind::kDevice, lane_.device(), count * sizeof(Hit), "items found");
}

// How many hits there are is known only afterwards: where there was no room for them the slice is folded
// again.
Status FoldPass::fold_hits(const Rows& rows, Path path, const Queries& queries, uint32_t first,
                           uint32_t splits) {
  const uint32_t device = lane_.device();
  unsigned long long found = 0;
  for (;;) {
    const uint64_t capacity = hit_buffer_.size() / sizeof(Hit);
    const HitList list{.hits = hit_buffer_.as<Hit>(),
                       .found = arrays_.found,
                       .capacity = capacity,
                       .threshold = arrays_.threshold + first};
    cudaError_t error = cudaMemsetAsync(arrays_.found, 0, sizeof *arrays_.found, stream());
    if (error == cudaSuccess) {
      error = path == Path::kRows ? row_hits(rows, queries, splits, list, stream())
                                  : tile_hits(rows, queries, splits, list, stream());
    }
    if (error == cudaSuccess) error = wait_for_work();
    if (error == cudaSuccess) error = transfer().fetch(&found, arrays_.found, 1);
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream());
    Status status = check(error, device, "looking for items above a threshold");
    if (!status.ok()) return status;
    if (found <= capacity) break;
    status = make_room_for_hits(found);
    if (!status.ok()) return status;
  }
  std::vector<Hit> hits(found);
  cudaError_t error = transfer().fetch(hits.data(), hit_buffer_.as<Hit>(), hits.size());
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream());
  for (const Hit& hit : hits) hits_[first + hit.query].push_back({hit.item, hit.score});
  return check(error, device, "looking for items above a threshold");
}

Status FoldPass::end_batch() {
  Status status = note_norms();
  if (status.ok()) status = check_range();
  if (!status.ok()) return status;
  if (softmax_) return write_softmax();
  if (arrays_.top != nullptr) return write_top();
  write_hits();
  return {};
}

// The calling thread sleeps, which cudaStreamSynchronize does not: that is left to what takes no time.
cudaError_t FoldPass::wait_for_work() {
  const cudaError_t error = work_end_.record(lane_.stream());
  return error == cudaSuccess ? work_end_.wait() : error;
}

// Looks once, after the first batch, at what was met among the rows.
Status FoldPass::note_norms() {
  if (batch_first_ > 0) return {};
  IntakeFacts facts{};
  cudaError_t error = wait_for_work();
  if (error == cudaSuccess) error = transfer().fetch(&facts, arrays_.facts, 1);
  if (error == cudaSuccess) error = transfer().fetch(&live_square_, arrays_.largest_norm, 1);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream());
  const Status status = check(error, lane_.device(), "a fold");
  if (!status.ok()) return status;
  met_square_ = std::max(live_square_, facts.largest_square_norm);
  for (uint64_t p = 0; p < fold_.part_count; ++p) {
    const auto* rows = reinterpret_cast<const ResidentRows*>(fold_.parts[p].rows);
    if (rows != nullptr) met_square_ = std::max(met_square_, rows->largest_square_norm());
  }
  if (!(live_square_ < kSquareLimit)) {
    return {StatusCode::kNonFinite, "a stored item is not finite, or too large to be scored"};
  }
  if (fold_.max_square_norm != nullptr) {
    *fold_.max_square_norm = std::max(*fold_.max_square_norm, live_square_);
  }
  return {};
}

// Kernels look at no score whether it is finite: that all are follows from the norms. Of a row that is
// removed they compute the product with the query and nothing else.
Status FoldPass::check_range() const {
  const double square = live_square_;
  const double norm = std::sqrt(square);
  const double met_norm = std::sqrt(static_cast<double>(met_square_));
  for (uint64_t i = batch_first_; i < batch_first_ + batch_count_; ++i) {
    double query_square = 0;
    for (uint32_t d = 0; d < dim(); ++d) {
      const double q = fold_.queries[i * dim() + d];
      query_square += q * q;
    }
    const double query_norm = std::sqrt(query_square);
    const double largest =
        std::max(query_norm * met_norm, (query_norm * norm + square) * std::max(1.0F, fold_.scale[i]));
    if (largest < kSquareLimit) continue;
    return {StatusCode::kRange, "scores of query " + std::to_string(i) +
                                    " may overflow Float32 (limit 3.4e38): its norm is " +
                                    std::to_string(query_norm) + ", the largest stored norm " +
                                    std::to_string(query_norm * met_norm < kSquareLimit ? norm : met_norm) +
                                    "; scale patterns and queries, or lower beta"};
  }
  return {};
}

Status FoldPass::write_softmax() {
  std::vector<float> max(batch_count_);
  std::vector<double> sum(batch_count_);
  cudaError_t error = cudaSuccess;
  if (width_ != 0) error = finish_softmax(arrays_.softmax, batch_count_, width_, stream());
  if (error == cudaSuccess) error = wait_for_work();
  if (error == cudaSuccess) error = transfer().fetch(max.data(), arrays_.softmax.max, max.size());
  if (error == cudaSuccess) error = transfer().fetch(sum.data(), arrays_.softmax.sum, sum.size());
  float* const readout = fold_.readout + batch_first_ * width_;
  if (error == cudaSuccess && width_ != 0) {
    error = transfer().fetch(readout, arrays_.softmax.readout, size_t{batch_count_} * width_);
  }
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream());
  const Status status = check(error, lane_.device(), "bringing answers out");
  if (!status.ok()) return status;
  for (uint32_t i = 0; i < batch_count_; ++i) {
    fold_.lse[batch_first_ + i] = (static_cast<double>(max[i]) + std::log2(sum[i])) * std::numbers::ln2;
    for (uint32_t d = 0; d < width_; ++d) {
      if (std::isfinite(readout[size_t{i} * width_ + d])) continue;
      return {StatusCode::kNonFinite, "the readout of query " + std::to_string(batch_first_ + i) +
                                          " is not finite: a stored value is near the limit of Float32"};
    }
  }
  return {};
}

Status FoldPass::write_top() {
  std::vector<Ranked> top(size_t{batch_count_} * fold_.k);
  cudaError_t error = wait_for_work();
  if (error == cudaSuccess) error = transfer().fetch(top.data(), arrays_.top, top.size());
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream());
  EngramCandidate* to = fold_.top + batch_first_ * fold_.k;
  for (const Ranked ranked : top) *to++ = {item_of(ranked), score_of(ranked)};
  return check(error, lane_.device(), "bringing answers out");
}

void FoldPass::write_hits() {
  for (uint32_t i = 0; i < batch_count_; ++i) {
    std::sort(hits_[i].begin(), hits_[i].end(),
              [](const EngramCandidate& a, const EngramCandidate& b) { return a.index < b.index; });
    for (const EngramCandidate& hit : hits_[i]) fold_.take(fold_.take_context, batch_first_ + i, hit);
  }
}

}  // namespace engram::cuda
