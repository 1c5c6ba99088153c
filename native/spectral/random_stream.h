// Random numbers that are the same on every platform, for any number of threads and any order of work: a
// stream is a pure function of (seed, number of the stream), and its numbers of their place in it
// (SplitMix64, Steele, Lea & Flood 2014). The transforms are our own, since those of <random> differ between
// libraries.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace engram::spectral {

class RandomStream {
 public:
  // Streams of different numbers under one seed are independent for all that is done with them here.
  RandomStream(uint64_t seed, uint64_t stream) : state_(scramble(seed + kStep) ^ scramble(~stream)) {}

  uint64_t bits() { return scramble(state_ += kStep); }

  // [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  // Mean 0, variance 1 (Box & Muller 1958); every second number is the other half of a pair.
  double gaussian() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

  static uint64_t scramble(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace engram::spectral
