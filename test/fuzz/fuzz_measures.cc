// Feeds arbitrary bytes, as a file, to the opening of memories of measures; what it accepts must be measures.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "transport/files.h"

namespace {

using engram::transport::Clouds;
using engram::transport::MeasureMemory;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const MeasureMemory& memory) {
  const Clouds& clouds = memory.clouds();
  require(memory.epsilon() > 0 && std::isfinite(memory.epsilon()));
  require(memory.cost_scale() > 0 && std::isfinite(memory.cost_scale()));
  require(memory.log_prior().empty() || memory.log_prior().size() == clouds.count());
  size_t points = 0;
  for (size_t k = 0; k < clouds.count(); ++k) {
    const engram::transport::Cloud cloud = clouds[k];
    require(cloud.size > 0);
    points += cloud.size;
    double mass = 0;
    for (size_t i = 0; i < cloud.size; ++i) {
      require(cloud.weights[i] >= 0);
      mass += cloud.weights[i];
    }
    require(std::abs(mass - 1) < 2e-9);
    for (size_t i = 0; i < cloud.size * clouds.dim(); ++i) require(std::isfinite(cloud.points[i]));
  }
  require(points == clouds.weights().size() && points * clouds.dim() == clouds.points().size());
  require(std::isfinite(engram::transport::mean_cost(clouds, 0.5)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A file that lies in memory; its pages live as long as the memory opened from it.
  const int file = ::memfd_create("measures", 0);
  require(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  const auto opened = engram::transport::open_measures(path, false);
  const auto verified = engram::transport::open_measures(path, true);
  ::close(file);
  if (verified.ok()) require(opened.ok());
  if (opened.ok()) check(*opened.value().memory);
  return 0;
}
