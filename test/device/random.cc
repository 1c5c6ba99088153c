#include "device/random.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace engram::device_test {

void fill_normal(float* to, size_t count, uint64_t seed, float size) {
  constexpr size_t kAlone = 1 << 20;
  const size_t most = std::max(1U, std::thread::hardware_concurrency());
  const size_t workers = std::clamp<size_t>(count / kAlone, 1, most);
  const auto work = [=](size_t worker) {
    const size_t end = count * (worker + 1) / workers;
    for (size_t i = count * worker / workers; i < end; ++i) to[i] = size * normal(seed, i);
  };
  std::vector<std::thread> others;
  for (size_t worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
  work(0);
  for (std::thread& other : others) other.join();
}

}  // namespace engram::device_test
