#include "transport/clouds.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "support/reference.h"

namespace engram::transport {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What a caller holds; a test spoils one part of it.
struct Input {
  std::vector<float> points;
  std::vector<uint32_t> offsets;
  size_t dim = 1;
  std::vector<float> weights;      // empty: none are given
  std::vector<double> normalised;  // empty: none are given

  CloudsView view() const {
    return {.points = points.data(),
            .weights = weights.empty() ? nullptr : weights.data(),
            .offsets = offsets.data(),
            .count = offsets.size() - 1,
            .dim = dim,
            .normalised = normalised.empty() ? nullptr : normalised.data()};
  }
  Result<std::shared_ptr<const Clouds>> create() const { return Clouds::create(view()); }
};

// Clouds of 2, 1 and 3 points in the plane.
Input three_clouds() {
  return {.points = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
          .offsets = {0, 2, 3, 6},
          .dim = 2,
          .weights = {1, 3, 0.5F, 0, 2, 6},
          .normalised = {}};
}

void check_refused(const Input& input, StatusCode code, std::initializer_list<const char*> says) {
  const Status status = input.create().status();
  CHECK(status.code() == code);
  for (const char* part : says) {
    CHECK_MESSAGE(status.message().find(part) != std::string::npos, status.message());
  }
}

TEST_CASE("weights of each cloud are normalised in Float64, zeros stay") {
  const auto clouds = std::move(three_clouds().create()).value();
  CHECK(clouds->count() == 3);
  CHECK(clouds->dim() == 2);
  const double expected[] = {0.25, 0.75, 1, 0, 0.25, 0.75};
  for (size_t i = 0; i < 6; ++i) CHECK(clouds->weights()[i] == expected[i]);
  const Cloud last = (*clouds)[2];
  CHECK(last.size == 3);
  CHECK(last.weights == clouds->weights().data() + 3);
  CHECK(last.points == clouds->points().data() + 6);
}

TEST_CASE("without weights every point of a cloud weighs the same") {
  Input input = three_clouds();
  input.weights.clear();
  const auto clouds = std::move(input.create()).value();
  const double third = 1.0 / 3;
  const double expected[] = {0.5, 0.5, 1, third, third, third};
  for (size_t i = 0; i < 6; ++i) CHECK(clouds->weights()[i] == expected[i]);
}

TEST_CASE("the smallest and the largest weights of Float32 stand beside each other") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float huge = std::numeric_limits<float>::max();
  Input input{
      .points = {0, 1, 2, 3}, .offsets = {0, 3, 4}, .weights = {tiny, huge, huge, tiny}, .normalised = {}};
  const auto clouds = std::move(input.create()).value();
  CHECK(clouds->weights()[0] == static_cast<double>(tiny) / (2.0 * huge));
  CHECK(clouds->weights()[1] == 0.5);
  CHECK(clouds->weights()[3] == 1);
}

TEST_CASE("points are copied, or read in place where an owner keeps them") {
  const Input input = three_clouds();
  const auto copied = std::move(input.create()).value();
  CHECK(copied->points().data() != input.points.data());
  CHECK(std::vector<float>(copied->points().begin(), copied->points().end()) == input.points);
  CHECK(copied->native_bytes() == 12 * sizeof(float) + 6 * sizeof(double) + 4 * sizeof(uint32_t));

  auto owner = std::make_shared<Input>(three_clouds());
  const std::weak_ptr<Input> watch = owner;
  auto adopted = std::move(Clouds::create(owner->view(), owner)).value();
  CHECK(adopted->points().data() == owner->points.data());
  CHECK(adopted->native_bytes() == 6 * sizeof(double) + 4 * sizeof(uint32_t));
  owner.reset();
  CHECK_FALSE(watch.expired());
  adopted.reset();
  CHECK(watch.expired());
}

TEST_CASE("shapes that make no clouds are refused") {
  Input input = three_clouds();
  input.dim = 0;
  check_refused(input, StatusCode::kShape, {"dim is 0"});

  input = three_clouds();
  input.offsets = {0};
  check_refused(input, StatusCode::kShape, {"no cloud"});

  input.offsets = {1, 2, 6};
  check_refused(input, StatusCode::kShape, {"begin with 1", "0"});

  input.offsets = {0, 2, 2, 6};
  check_refused(input, StatusCode::kShape, {"cloud 1 has no points", "2 and 2"});

  input.offsets = {0, 3, 2, 6};
  check_refused(input, StatusCode::kShape, {"cloud 1 has no points", "3 and 2"});

  input.offsets = {0, 0};
  check_refused(input, StatusCode::kShape, {"cloud 0 has no points"});
}

TEST_CASE("weights that are no weights are refused, naming the point") {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    Input input = three_clouds();
    input.weights[4] = bad;
    check_refused(input, StatusCode::kNonFinite, {"cloud 2, point 1 has weight", "finite"});
  }
  Input input = three_clouds();
  input.weights[1] = -0.125F;
  check_refused(input, StatusCode::kRange, {"cloud 0, point 1 has weight -0.125", "not negative"});

  input = three_clouds();
  input.weights[2] = 0;
  check_refused(input, StatusCode::kRange, {"cloud 1 has no mass", "positive"});
}

TEST_CASE("a coordinate that is not finite is refused wherever it is, copied or adopted") {
  const size_t dim = 7;
  const size_t count = 37;
  for (size_t at = 0; at < dim * count; at += 13) {
    auto input = std::make_shared<Input>(Input{.points = reference::random_floats(dim * count, 1),
                                               .offsets = {0, 20, 37},
                                               .dim = dim,
                                               .weights = {},
                                               .normalised = {}});
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      input->points[at] = bad;
      const size_t point = at / dim;
      const std::string name = point < 20 ? "cloud 0, point " + std::to_string(point)
                                          : "cloud 1, point " + std::to_string(point - 20);
      const std::string coordinate = "coordinate " + std::to_string(at % dim);
      check_refused(*input, StatusCode::kNonFinite, {name.c_str(), coordinate.c_str()});
      CHECK(Clouds::create(input->view(), input).status().code() == StatusCode::kNonFinite);
    }
  }
}

TEST_CASE("points are refused from where squared distances leave Float32") {
  // Two opposite points of this norm are the largest Float32 apart, squared.
  const float limit = std::sqrt(std::numeric_limits<float>::max() / 4);
  Input input{.points = {0, std::nextafter(limit, 0.0F)}, .offsets = {0, 2}, .weights = {}, .normalised = {}};
  CHECK(input.create().ok());
  input.points[1] = -std::nextafter(limit, kInfinity);
  check_refused(input, StatusCode::kRange, {"cloud 0, point 1", "9.2e18", "scale"});

  // The sum over coordinates counts: each of these is fine alone.
  const float each = limit / 1.9F;
  input = {.points = {0, 0, 0, 0, each, each, each, 0},
           .offsets = {0, 1, 2},
           .dim = 4,
           .weights = {},
           .normalised = {}};
  CHECK(input.create().ok());
  input.points[7] = each;
  check_refused(input, StatusCode::kRange, {"cloud 1, point 0"});
}

TEST_CASE("normalised weights are kept to the last bit, and refused unless they sum to 1") {
  Input input = three_clouds();
  input.weights.clear();
  input.normalised = {0.1, 0.9, 1, 0.2, 0.3, 0.5 + 1e-10};
  const auto clouds = std::move(input.create()).value();
  for (size_t i = 0; i < 6; ++i) CHECK(clouds->weights()[i] == input.normalised[i]);

  input.normalised[5] = 0.5 + 2e-9;
  check_refused(input, StatusCode::kRange, {"cloud 2", "sum to 1.000000002"});
  input.normalised[5] = std::numeric_limits<double>::quiet_NaN();
  check_refused(input, StatusCode::kNonFinite, {"cloud 2, point 2"});
  input.normalised = {-0.5, 1.5, 1, 0.2, 0.3, 0.5};
  check_refused(input, StatusCode::kRange, {"cloud 0, point 0 has weight -0.5"});
}

TEST_CASE("weights that were normalised here pass for normalised, in clouds of any size") {
  for (const uint32_t size : {1U, 3U, 1000U, 999'983U}) {
    Input input{.points = std::vector<float>(size), .offsets = {0, size}, .weights = {}, .normalised = {}};
    const auto uniform = std::move(input.create()).value();
    input.normalised.assign(uniform->weights().begin(), uniform->weights().end());
    CHECK(input.create().ok());
  }
}

// The mean over pairs, as it is defined.
double mean_cost_by_pairs(const Clouds& clouds, double cost_scale) {
  double mean = 0;
  const double share = 1.0 / static_cast<double>(clouds.count());
  const size_t total = clouds.weights().size();
  for (size_t i = 0; i < total; ++i) {
    for (size_t j = 0; j < total; ++j) {
      double square = 0;
      for (size_t k = 0; k < clouds.dim(); ++k) {
        const double difference = static_cast<double>(clouds.points()[i * clouds.dim() + k]) -
                                  clouds.points()[j * clouds.dim() + k];
        square += difference * difference;
      }
      mean += share * clouds.weights()[i] * share * clouds.weights()[j] * cost_scale * square;
    }
  }
  return mean;
}

TEST_CASE("the mean cost is the mean over pairs, wherever the clouds lie") {
  for (const size_t dim : {1, 3, 17}) {
    for (const float shift : {0.0F, 1000.0F}) {
      Input input{.points = reference::random_floats(40 * dim, dim),
                  .offsets = {0, 1, 11, 40},
                  .dim = dim,
                  .weights = reference::random_floats(40, 5),
                  .normalised = {}};
      for (float& x : input.points) x += shift;
      for (float& weight : input.weights) weight = std::abs(weight);
      const auto clouds = std::move(input.create()).value();
      // Both are sums of a few hundred or thousand terms in Float64.
      CHECK(mean_cost(*clouds, 0.5) == doctest::Approx(mean_cost_by_pairs(*clouds, 0.5)).epsilon(1e-12));
      CHECK(mean_cost(*clouds, 3) == doctest::Approx(6 * mean_cost(*clouds, 0.5)).epsilon(1e-15));
    }
  }
}

TEST_CASE("the mean cost of points that coincide is 0, and tells apart the closest Float32") {
  Input input{
      .points = {0.1F, 0.1F, 0.1F, 7}, .offsets = {0, 1, 4}, .weights = {1, 1, 0.3F, 0}, .normalised = {}};
  CHECK(mean_cost(*input.create().value(), 0.5) == 0);
  input.weights = {0, 1, 0.3F, 1};  // a cloud without mass
  CHECK(input.create().status().code() == StatusCode::kRange);
  input = {
      .points = {7, 0.1F, 0.1F, 0.1F}, .offsets = {0, 2, 4}, .weights = {0, 1, 0.3F, 1}, .normalised = {}};
  CHECK(mean_cost(*input.create().value(), 0.5) == 0);
  input.points[1] = std::nextafter(0.1F, 1.0F);
  CHECK(mean_cost(*input.create().value(), 0.5) > 0);
}

}  // namespace
}  // namespace engram::transport
