#include "spectral/sign_projection.h"

#include <algorithm>

#include "spectral/mixtures.h"
#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

Status cancelled() { return {StatusCode::kAborted, "unmixing was cancelled"}; }

// Its runs are false when asked to stop.
class Walk {
 public:
  explicit Walk(const FloatRows& v) : v_(v), coordinates_(v.rows), state_(v.cols), field_(v.cols) {}

  float* state() { return state_.data(); }

  bool run_noisy(const SignProjectionOptions& options, RandomStream& random, const KeepGoing& keep_going) {
    for (uint32_t step = 0; step < options.noisy_steps; ++step) {
      if (!keep_going()) return false;
      project();
      const double noise = options.noise * (1 - static_cast<double>(step) / options.noisy_steps);
      for (float& h : field_) h += static_cast<float>(noise * random.gaussian());
      follow();
    }
    return true;
  }

  bool run_quiet(uint32_t most_steps, const KeepGoing& keep_going) {
    for (uint32_t step = 0; step < most_steps; ++step) {
      if (!keep_going()) return false;
      project();
      if (!follow()) break;
    }
    return true;
  }

 private:
  void project() {
    multiply(v_, state_.data(), coordinates_.data());
    multiply_transposed(v_, coordinates_.data(), field_.data());
  }

  // Whether the state has changed.
  bool follow() {
    bool changed = false;
    for (size_t n = 0; n < v_.cols; ++n) {
      const float next = sign(field_[n], state_[n]);
      changed |= next != state_[n];
      state_[n] = next;
    }
    return changed;
  }

  const FloatRows v_;
  std::vector<double> coordinates_;
  std::vector<float> state_;
  std::vector<float> field_;
};

}  // namespace

Result<std::vector<int8_t>> sign_projection(const FloatRows& v, uint64_t first, size_t count,
                                            const SignProjectionOptions& options,
                                            const KeepGoing& keep_going) {
  std::vector<int8_t> states(count * v.cols);
  Walk walk(v);
  for (size_t i = 0; i < count; ++i) {
    RandomStream random(options.seed, first + i);
    random_mixture(v, random, walk.state());
    if (!walk.run_noisy(options, random, keep_going)) return cancelled();
    if (!walk.run_quiet(options.quiet_steps, keep_going)) return cancelled();
    std::copy(walk.state(), walk.state() + v.cols, states.data() + i * v.cols);
  }
  return states;
}

Status settle(const FloatRows& v, uint32_t most_steps, std::vector<int8_t>& states,
              const KeepGoing& keep_going) {
  Walk walk(v);
  for (size_t at = 0; at < states.size(); at += v.cols) {
    int8_t* const x = states.data() + at;
    std::copy(x, x + v.cols, walk.state());
    if (!walk.run_quiet(most_steps, keep_going)) return cancelled();
    std::copy(walk.state(), walk.state() + v.cols, x);
  }
  return {};
}

}  // namespace engram::spectral
