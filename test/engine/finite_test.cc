#include "engine/finite.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace engram::engine {
namespace {

TEST_CASE("one element that is not finite is found wherever it stands") {
  for (const size_t count : {1, 15, 16, 17, 100}) {
    std::vector<float> data(count, std::numeric_limits<float>::max());
    CHECK(all_finite(data.data(), count));
    for (size_t at = 0; at < count; ++at) {
      for (const float bad :
           {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        data[at] = bad;
        CHECK_FALSE(all_finite(data.data(), count));
        data[at] = 0;
      }
    }
  }
}

}  // namespace
}  // namespace engram::engine
