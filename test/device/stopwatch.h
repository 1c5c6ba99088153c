// Timing of what waits for its own end.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace engram::device_test {

struct Timing {
  double median = 0;  // seconds
  double least = 0;
  uint32_t runs = 0;
};

// Runs twice to warm up, then until a second has passed, at least 7 and at most 100 times; once and no more
// where `tiny`.
template <typename Work>
Timing measure(const Work& work, bool tiny = false) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_of = [&] {
    const Clock::time_point begin = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  if (!tiny) {
    work();
    work();
  }
  std::vector<double> seconds;
  double sum = 0;
  const auto is_enough = [&] {
    return tiny ? !seconds.empty() : seconds.size() >= 100 || (seconds.size() >= 7 && sum > 1);
  };
  while (!is_enough()) {
    seconds.push_back(seconds_of());
    sum += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front(), static_cast<uint32_t>(seconds.size())};
}

}  // namespace engram::device_test
