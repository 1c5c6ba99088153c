#include "spectral/message_bytes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

HebbianOperator small_message() {
  RandomStream random(7, 1);
  std::vector<int8_t> signs(30 * 64);
  for (int8_t& x : signs) x = random.uniform() < 0.5 ? -1 : 1;
  const Result<HebbianOperator> message =
      encode({signs.data(), engine::Element::kInt8, 30, 64}, {.rank = 4, .client = "c \"7\""}, {});
  REQUIRE(message.ok());
  return message.value();
}

TEST_CASE("a message read from its bytes is the same to the last bit") {
  const HebbianOperator message = small_message();
  const auto bytes = to_bytes(message);
  REQUIRE(bytes.ok());
  std::vector<std::byte> moved(bytes.value().size() + 1);  // where nothing is aligned
  std::copy(bytes.value().begin(), bytes.value().end(), moved.begin() + 1);
  for (const auto& given :
       {std::span<const std::byte>(bytes.value()), std::span<const std::byte>(moved).subspan(1)}) {
    const Result<HebbianOperator> read = from_bytes(given);
    REQUIRE(read.ok());
    CHECK(read.value().dim == 64);
    CHECK(read.value().sample_count == 30);
    CHECK(read.value().trace == message.trace);
    CHECK(read.value().noise_variance == message.noise_variance);
    CHECK(read.value().quality == message.quality);
    CHECK(read.value().client == message.client);
    CHECK(read.value().eigenvalues == message.eigenvalues);
    CHECK(read.value().factor == message.factor);
  }
}

TEST_CASE("no byte can be changed unnoticed, and no end cut off") {
  const auto bytes = to_bytes(small_message());
  REQUIRE(bytes.ok());
  size_t accepted = 0;
  for (size_t at = 0; at < bytes.value().size(); at += 3) {
    std::vector<std::byte> changed = bytes.value();
    changed[at] ^= std::byte{0x10};
    const Result<HebbianOperator> read = from_bytes(changed);
    if (read.ok()) {
      ++accepted;  // the name's own letters, and digits of numbers that stay plausible
    } else {
      CHECK(read.status().code() == StatusCode::kFormat);
    }
  }
  CHECK(accepted <= 40);
  for (const size_t length : {size_t{0}, size_t{7}, size_t{100}, bytes.value().size() - 1}) {
    CHECK(from_bytes(std::span(bytes.value()).first(length)).status().code() == StatusCode::kFormat);
  }
}

}  // namespace
}  // namespace engram::spectral
