#include "cuda/large_pairs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "cuda/pair_rules.h"

namespace engram::cuda {
namespace {

constexpr uint32_t kAtOnce = 16;  // iterations between looks at the device
constexpr size_t kMostPairs = 256;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;  // of several pairs
constexpr double kInfinity = std::numeric_limits<double>::infinity();

uint32_t stride_of(uint32_t columns) { return (columns + 31) / 32 * 32; }

// Arrays of all pairs of a group, one behind the other.
struct GroupArrays {
  LargePair* pairs;
  LargeTurn* turns;
  float* kernel;
  float* u;
  float* v;
  float* before;
  float* off;
  uint32_t* unsafe_at;
  double* h;
  double* marginal;
  double* lse;
  double* spread;
  size_t rows = 0;
  size_t columns = 0;  // with strides

  static GroupArrays cut(Cutter& cutter, std::span<const Pair> pairs) {
    GroupArrays at{};
    size_t entries = 0;
    for (const Pair& pair : pairs) {
      const size_t stride = stride_of(pair.columns);
      at.rows += pair.rows;
      at.columns += stride;
      entries += pair.rows * stride;
    }
    at.pairs = cutter.take<LargePair>(pairs.size());
    at.turns = cutter.take<LargeTurn>(pairs.size());
    at.kernel = cutter.take<float>(entries);
    at.u = cutter.take<float>(at.rows);
    at.v = cutter.take<float>(at.columns);
    at.before = cutter.take<float>(at.columns);
    at.off = cutter.take<float>(at.columns);
    at.unsafe_at = cutter.take<uint32_t>(pairs.size());
    at.h = cutter.take<double>(at.columns);
    at.marginal = cutter.take<double>(at.columns);
    at.lse = cutter.take<double>(at.rows);
    at.spread = cutter.take<double>(at.rows);
    return at;
  }
};

// How far one pair is. Its potential, which is short, is kept here, in exponents of two: `rate` is log2(e) /
// epsilon.
class LargeSolve {
 public:
  LargeSolve(const PairProgress& progress, double rate, std::span<const double> b, const double* potential)
      : progress_(progress), rate_(rate), b_(b), z_(b.size()) {
    for (size_t j = 0; j < z_.size(); ++j) z_[j] = potential[j] * rate;
  }

  bool iterates() const { return state_ == State::kIterates; }
  bool certifies() const { return state_ == State::kCertifies; }
  bool ended() const { return state_ == State::kEnded; }
  bool safe() const { return safe_; }

  LargeTurn turn() const {
    if (certifies()) return {.certifies = 1};
    if (!iterates()) return {};
    const uint32_t done = progress_.iterations();
    const uint32_t last = std::min(progress_.max_iterations(), (done / kAtOnce + 1) * kAtOnce);
    return {.builds = builds_ ? 1U : 0U, .first = done + 1, .last = last};
  }

  void write_exponents(double* h) const {
    for (size_t j = 0; j < z_.size(); ++j) h[j] = b_[j] > 0 ? z_[j] + std::log2(b_[j]) : -kInfinity;
  }

  // After the iterations of turn().
  void look(const float* off, uint32_t unsafe_at) {
    const uint32_t last = turn().last;
    builds_ = false;
    safe_ = unsafe_at > last;
    progress_.count(std::min(unsafe_at, std::max(progress_.iterations(), last)));
    const double residual = std::accumulate(off, off + z_.size(), 0.0);
    const bool enough = progress_.looks() && progress_.is_enough(residual);
    if (!safe_ || enough || progress_.used_up()) state_ = State::kCertifies;
  }

  // Before the certificate: what the scalings say goes into the potential.
  void absorb(const float* scaling) {
    for (size_t j = 0; j < z_.size(); ++j) {
      if (b_[j] > 0) z_[j] += std::log2(static_cast<double>(scaling[j]));
    }
  }

  // After the certificate: the end, or a Sinkhorn update by it, and new iterations.
  void judge(const double* marginal) {
    residual_ = 0;
    for (size_t j = 0; j < z_.size(); ++j) residual_ += std::abs(marginal[j] - b_[j]);
    if (progress_.ends(residual_, safe_)) {
      state_ = State::kEnded;
      return;
    }
    for (size_t j = 0; j < z_.size(); ++j) {
      if (b_[j] > 0) z_[j] += std::min(std::log2(b_[j]) - std::log2(marginal[j]), kMostUpdate);
    }
    progress_.count(progress_.iterations() + 1);
    builds_ = true;
    state_ = State::kIterates;
  }

  EngramPairSolution finish(std::span<const double> a, const double* lse, const double* spread,
                            double* potential) const {
    double value = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] > 0) value -= a[i] * lse[i];
    }
    double least = kInfinity;
    double most = -kInfinity;
    for (size_t j = 0; j < z_.size(); ++j) {
      potential[j] = z_[j] / rate_;
      if (!(b_[j] > 0)) continue;
      value += b_[j] * z_[j];
      least = std::min(least, potential[j]);
      most = std::max(most, potential[j]);
    }
    return {.value = value / rate_,
            .residual = residual_,
            .spread = *std::max_element(spread, spread + a.size()),
            .range = most - least,
            .iterations = progress_.iterations(),
            .converged = progress_.converged(residual_) ? 1U : 0U};
  }

 private:
  enum class State : uint8_t { kIterates, kCertifies, kEnded };

  PairProgress progress_;
  const double rate_;
  const std::span<const double> b_;
  std::vector<double> z_;
  State state_ = State::kIterates;
  bool builds_ = true;
  bool safe_ = true;
  double residual_ = 0;
};

// Pairs go side by side: in each round those that iterate do some iterations, then those that are through
// with them are certified.
class LargeGroup {
 public:
  LargeGroup(const PairBatch& batch, std::span<const Pair> pairs, void* memory, cudaStream_t stream)
      : batch_(batch), pairs_(pairs), stream_(stream) {
    Cutter cutter(memory);
    at_ = GroupArrays::cut(cutter, pairs);
    turns_.pairs = at_.pairs;
    turns_.turns = at_.turns;
    turns_.count = static_cast<uint32_t>(pairs.size());
  }

  // Nothing that is let go here is still copied, whatever has failed.
  ~LargeGroup() {
    if (error_ != cudaSuccess) cudaStreamSynchronize(stream_);
    cudaGetLastError();
  }
  LargeGroup(const LargeGroup&) = delete;
  LargeGroup& operator=(const LargeGroup&) = delete;

  LargeOutcome run(const EngramPairs& asked) {
    begin(asked.potentials);
    while (error_ == cudaSuccess && !std::all_of(solves_.begin(), solves_.end(), is_ended)) {
      if (asked.keep_going(asked.context) == 0) return {cudaSuccess, true};
      iterate();
      certify();
    }
    if (error_ == cudaSuccess) finish(asked.queries->weights, asked.potentials, asked.solutions);
    return {error_, false};
  }

 private:
  static bool is_ended(const LargeSolve& solve) { return solve.ended(); }

  template <typename T>
  void fetch(std::vector<T>& to, const T* from, size_t count) {
    to.resize(count);
    if (error_ != cudaSuccess) return;
    error_ = cudaMemcpyAsync(to.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost, stream_);
  }
  template <typename T>
  void send(T* to, const std::vector<T>& from) {
    if (error_ != cudaSuccess) return;
    error_ = cudaMemcpyAsync(to, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice, stream_);
  }
  void wait() {
    if (error_ == cudaSuccess) error_ = cudaStreamSynchronize(stream_);
  }

  void begin(const double* potentials) {
    size_t entry = 0;
    size_t row = 0;
    size_t column = 0;
    b_.resize(at_.columns);
    h_.resize(at_.columns);
    for (size_t p = 0; p < pairs_.size(); ++p) {
      const Pair& pair = pairs_[p];
      LargePair large{.x = batch_.x + uint64_t{pair.first_x} * batch_.dim,
                      .a = batch_.a + pair.first_x,
                      .y = pair.y,
                      .b = pair.b,
                      .rows = pair.rows,
                      .columns = pair.columns,
                      .dim = batch_.dim,
                      .stride = stride_of(pair.columns),
                      .cost_scale = batch_.cost_scale,
                      .epsilon = batch_.epsilon};
      large.kernel = at_.kernel + entry;
      large.u = at_.u + row;
      large.v = at_.v + column;
      large.before = at_.before + column;
      large.off = at_.off + column;
      large.unsafe_at = at_.unsafe_at + p;
      large.h = at_.h + column;
      large.marginal = at_.marginal + column;
      large.lse = at_.lse + row;
      large.spread = at_.spread + row;
      if (batch_.projections != nullptr) {
        large.transforms = batch_.transforms + pair.row;
        large.projections = batch_.projections + pair.row * batch_.dim;
      }
      if (error_ == cudaSuccess) {
        error_ = cudaMemcpyAsync(b_.data() + column, large.b, pair.columns * sizeof(double),
                                 cudaMemcpyDeviceToHost, stream_);
      }
      large_.push_back(large);
      first_row_.push_back(row);
      first_column_.push_back(column);
      entry += uint64_t{pair.rows} * large.stride;
      row += pair.rows;
      column += large.stride;
      turns_.most_rows = std::max(turns_.most_rows, pair.rows);
      turns_.most_columns = std::max(turns_.most_columns, pair.columns);
    }
    send(at_.pairs, large_);
    if (error_ == cudaSuccess) {  // what lies behind the columns is fetched, too
      error_ = cudaMemsetAsync(at_.off, 0, at_.columns * sizeof(float), stream_);
    }
    if (error_ == cudaSuccess) {
      error_ = cudaMemsetAsync(at_.marginal, 0, at_.columns * sizeof(double), stream_);
    }
    wait();
    const PairProgress progress(batch_.tolerance, batch_.max_iterations);
    const double rate = std::numbers::log2e / batch_.epsilon;
    for (size_t p = 0; p < pairs_.size(); ++p) {
      const std::span<const double> b(b_.data() + first_column_[p], pairs_[p].columns);
      solves_.emplace_back(progress, rate, b, potentials + pairs_[p].potential);
    }
  }

  void send_turns() {
    each_turn_.clear();
    for (size_t p = 0; p < solves_.size(); ++p) {
      each_turn_.push_back(solves_[p].turn());
      const LargeTurn& turn = each_turn_.back();
      if (turn.builds + turn.certifies > 0) solves_[p].write_exponents(h_.data() + first_column_[p]);
    }
    send(at_.turns, each_turn_);
    send(at_.h, h_);
  }

  void iterate() {
    send_turns();
    uint32_t steps = 0;
    bool builds = false;
    for (const LargeTurn& turn : each_turn_) {
      builds = builds || turn.builds != 0;
      steps = std::max(steps, turn.last + 1 - std::min(turn.first, turn.last + 1));
    }
    if (builds && error_ == cudaSuccess) error_ = build_large(turns_, stream_);
    for (uint32_t step = 0; step < steps && error_ == cudaSuccess; ++step) {
      error_ = iterate_large(turns_, step, stream_);
    }
    fetch(off_, at_.off, at_.columns);
    fetch(unsafe_at_, at_.unsafe_at, pairs_.size());
    wait();
    if (error_ != cudaSuccess) return;
    for (size_t p = 0; p < solves_.size(); ++p) {
      if (solves_[p].iterates()) solves_[p].look(off_.data() + first_column_[p], unsafe_at_[p]);
    }
  }

  void certify() {
    if (error_ != cudaSuccess) return;
    const auto certifies = [](const LargeSolve& solve) { return solve.certifies(); };
    if (std::none_of(solves_.begin(), solves_.end(), certifies)) return;
    fetch(v_, at_.v, at_.columns);
    fetch(before_, at_.before, at_.columns);
    wait();
    if (error_ != cudaSuccess) return;
    for (size_t p = 0; p < solves_.size(); ++p) {
      LargeSolve& solve = solves_[p];
      if (solve.certifies()) solve.absorb((solve.safe() ? v_ : before_).data() + first_column_[p]);
    }
    send_turns();
    if (error_ == cudaSuccess) error_ = certify_large(turns_, stream_);
    fetch(marginal_, at_.marginal, at_.columns);
    wait();
    if (error_ != cudaSuccess) return;
    for (size_t p = 0; p < solves_.size(); ++p) {
      if (solves_[p].certifies()) solves_[p].judge(marginal_.data() + first_column_[p]);
    }
  }

  void finish(const double* a, double* potentials, EngramPairSolution* solutions) {
    std::vector<double> lse;
    std::vector<double> spread;
    if (batch_.projections != nullptr && error_ == cudaSuccess) error_ = project_large(turns_, stream_);
    fetch(lse, at_.lse, at_.rows);
    fetch(spread, at_.spread, at_.rows);
    wait();
    if (error_ != cudaSuccess) return;
    for (size_t p = 0; p < solves_.size(); ++p) {
      const Pair& pair = pairs_[p];
      solutions[pair.solution] =
          solves_[p].finish({a + pair.first_x, pair.rows}, lse.data() + first_row_[p],
                            spread.data() + first_row_[p], potentials + pair.potential);
    }
  }

  const PairBatch& batch_;
  const std::span<const Pair> pairs_;
  const cudaStream_t stream_;
  GroupArrays at_{};
  LargeTurns turns_;
  std::vector<LargePair> large_;
  std::vector<LargeSolve> solves_;
  std::vector<size_t> first_row_, first_column_;
  std::vector<LargeTurn> each_turn_;
  std::vector<double> b_, h_, marginal_;
  std::vector<float> off_, v_, before_;
  std::vector<uint32_t> unsafe_at_;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace

size_t large_group(std::span<const Pair> pairs) {
  size_t count = std::min<size_t>(pairs.size(), 1);
  while (count < std::min(pairs.size(), kMostPairs) && large_bytes(pairs.first(count + 1)) <= kMostBytes) {
    ++count;
  }
  return count;
}

uint64_t large_bytes(std::span<const Pair> pairs) {
  Cutter counted;
  GroupArrays::cut(counted, pairs);
  return counted.used();
}

LargeOutcome solve_large_pairs(const PairBatch& batch, std::span<const Pair> pairs, void* memory,
                               const EngramPairs& asked, cudaStream_t stream) {
  return LargeGroup(batch, pairs, memory, stream).run(asked);
}

}  // namespace engram::cuda
