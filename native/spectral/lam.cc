#include "spectral/lam.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "spectral/mixtures.h"
#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

constexpr uint32_t kFewestBlocks = 10;
constexpr uint32_t kMostBlocks = 500;
constexpr double kHottest = 0.3;  // annealed noise, in units of 1 / beta
constexpr double kColdest = 0.02;

class Block {
 public:
  Block(const FloatRows& v, const LamOptions& options)
      : v_(v),
        options_(options),
        mixture_(v.cols),
        states_(options.layers * v.cols),
        coordinates_(options.layers * v.rows),
        coupled_(options.layers * v.rows),
        mixed_(v.rows),
        fields_(options.layers * v.cols) {}

  // False when asked to stop.
  bool run(uint64_t number, const KeepGoing& keep_going) {
    RandomStream random(options_.seed, number);
    random_mixture(v_, random, mixture_.data());
    for (uint32_t a = 0; a < options_.layers; ++a) std::copy(mixture_.begin(), mixture_.end(), state(a));
    for (uint32_t step = 0; step < options_.steps; ++step) {
      if (!keep_going()) return false;
      couple();
      for (uint32_t a = 0; a < options_.layers; ++a) find_field(a);
      for (uint32_t a = 0; a < options_.layers; ++a) {
        options_.noise == LamNoise::kFull ? draw(a, random) : shake(a, random, temperature(step));
      }
    }
    return true;
  }

  const std::vector<float>& states() const { return states_; }

 private:
  float* state(uint32_t a) { return states_.data() + a * v_.cols; }
  float* field(uint32_t a) { return fields_.data() + a * v_.cols; }
  double* coordinates(uint32_t a) { return coordinates_.data() + a * v_.rows; }
  double* coupled(uint32_t a) { return coupled_.data() + a * v_.rows; }

  // coordinates = V s_a, coupled = diag(w) V s_a.
  void couple() {
    for (uint32_t a = 0; a < options_.layers; ++a) {
      multiply(v_, state(a), coordinates(a));
      for (size_t k = 0; k < v_.rows; ++k) {
        coupled(a)[k] = coordinates(a)[k] * (options_.couplings.empty() ? 1 : options_.couplings[k]);
      }
    }
  }

  // The sum over layers is taken in the subspace, so that one product with V^T is enough.
  void find_field(uint32_t a) {
    std::copy(coupled(a), coupled(a) + v_.rows, mixed_.begin());
    for (uint32_t b = 0; b < options_.layers; ++b) {
      if (b == a) continue;
      const double g = std::inner_product(coupled(a), coupled(a) + v_.rows, coordinates(b), 0.0);
      const double repulsion = options_.lambda * g / static_cast<double>(v_.cols);
      for (size_t k = 0; k < v_.rows; ++k) mixed_[k] -= repulsion * coupled(b)[k];
    }
    multiply_transposed(v_, mixed_.data(), field(a));
    const float* const input = options_.noise == LamNoise::kFull ? mixture_.data() : state(a);
    const auto strength = static_cast<float>(options_.field);
    for (size_t n = 0; n < v_.cols; ++n) field(a)[n] += strength * input[n];
  }

  void draw(uint32_t a, RandomStream& random) {
    for (size_t n = 0; n < v_.cols; ++n) {
      const double u = 2 * random.uniform() - 1;
      state(a)[n] = std::tanh(options_.beta * static_cast<double>(field(a)[n])) + u < 0 ? -1.0F : 1.0F;
    }
  }

  void shake(uint32_t a, RandomStream& random, double reach) {
    for (size_t n = 0; n < v_.cols; ++n) {
      const double u = reach * (2 * random.uniform() - 1);
      state(a)[n] = sign(field(a)[n] + static_cast<float>(u), state(a)[n]);
    }
  }

  double temperature(uint32_t step) const {
    const double done = options_.steps > 1 ? static_cast<double>(step) / (options_.steps - 1) : 1;
    return (kHottest + (kColdest - kHottest) * done) / options_.beta;
  }

  const FloatRows v_;
  const LamOptions& options_;
  std::vector<float> mixture_;
  std::vector<float> states_;
  std::vector<double> coordinates_;
  std::vector<double> coupled_;
  std::vector<double> mixed_;
  std::vector<float> fields_;
};

}  // namespace

uint32_t lam_blocks(const LamOptions& options, size_t rows) {
  if (options.blocks > 0) return options.blocks;
  const auto k = static_cast<double>(rows);
  const double blocks = 10 * std::floor(k / options.layers * std::log(k / 0.01));
  return static_cast<uint32_t>(std::clamp<double>(blocks, kFewestBlocks, kMostBlocks));
}

double dreamt(double x, double t) { return (1 + t) * x / (1 + t * x); }

Result<std::vector<int8_t>> lam(const FloatRows& v, uint64_t first, size_t count, const LamOptions& options,
                                const KeepGoing& keep_going) {
  if (!options.couplings.empty() && options.couplings.size() != v.rows) {
    return Status(StatusCode::kShape, std::to_string(options.couplings.size()) + " couplings for " +
                                          std::to_string(v.rows) + " rows");
  }
  std::vector<int8_t> states;
  states.reserve(count * options.layers * v.cols);
  Block block(v, options);
  for (uint64_t number = first; number < first + count; ++number) {
    if (!block.run(number, keep_going)) return Status(StatusCode::kAborted, "unmixing was cancelled");
    for (const float s : block.states()) states.push_back(static_cast<int8_t>(s));
  }
  return states;
}

}  // namespace engram::spectral
