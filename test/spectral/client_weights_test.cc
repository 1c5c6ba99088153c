#include "spectral/client_weights.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using Signals = std::vector<std::vector<double>>;

bool always() { return true; }

struct Federation {
  std::vector<ClientModel> clients;
  double dim = 600;
  Signals signals;
};

// exposure[c][mu]
Federation federation(const std::vector<double>& samples, const std::vector<double>& quality,
                      const std::vector<std::vector<double>>& exposure, double dim = 600) {
  Federation f{{}, dim, Signals(exposure[0].size(), std::vector<double>(samples.size()))};
  for (size_t c = 0; c < samples.size(); ++c) {
    f.clients.push_back({1, samples[c], 1 - quality[c] * quality[c]});
    for (size_t mu = 0; mu < f.signals.size(); ++mu) {
      f.signals[mu][c] = quality[c] * quality[c] * exposure[c][mu];
    }
  }
  return f;
}

std::vector<double> weights_of(WeightRule rule, const Federation& f) {
  return client_weights(rule, f.clients, f.dim, f.signals, always).value();
}

double worst(const std::vector<double>& weights, const Federation& f) {
  return worst_overlap(weights, f.clients, f.dim, f.signals);
}

const Federation kMixed = federation({150, 300, 600, 1200}, {.30, .20, .12, .06},
                                     {{.7, .2, .1}, {.1, .3, .6}, {.2, .4, .4}, {0, .5, .5}});

void check_simplex(const std::vector<double>& weights) {
  CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == Approx(1).epsilon(1e-12));
  for (const double a : weights) CHECK(a >= 0);
}

TEST_CASE("equal and size weights are what they say") {
  CHECK(weights_of(WeightRule::kEqual, kMixed) == std::vector<double>(4, 0.25));
  const std::vector<double> size = weights_of(WeightRule::kSize, kMixed);
  for (size_t c = 0; c < 4; ++c) CHECK(size[c] == Approx(kMixed.clients[c].samples / 2250).epsilon(1e-14));
}

TEST_CASE("maximin weights are no worse than the others, whatever the federation") {
  for (const Federation& f :
       {kMixed, federation({50, 50, 50}, {.6, .6, .6}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, 300),
        federation({1000, 20, 300}, {.1, .9, .3}, {{.5, .5}, {.9, .1}, {.2, .8}}, 400),
        federation({10, 10}, {.05, .05}, {{1, 0}, {0, 1}}, 1000),
        federation({5, 800}, {1, .2}, {{1, 0}, {.5, .5}}, 200)}) {
    const std::vector<double> weights = weights_of(WeightRule::kMaximin, f);
    check_simplex(weights);
    CHECK(worst(weights, f) >= worst(weights_of(WeightRule::kEqual, f), f));
    CHECK(worst(weights, f) >= worst(weights_of(WeightRule::kSize, f), f));
  }
}

// The best of a fine grid on the simplex of three clients.
double best_of_grid(const Federation& f) {
  constexpr int kCells = 120;
  double best = -1;
  for (int i = 0; i <= kCells; ++i) {
    for (int j = 0; i + j <= kCells; ++j) {
      best =
          std::max(best, worst({double(i) / kCells, double(j) / kCells, double(kCells - i - j) / kCells}, f));
    }
  }
  return best;
}

TEST_CASE("maximin weights are as good as the best of a grid") {
  for (const Federation& f :
       {federation({150, 400, 1000}, {.4, .2, .1}, {{.6, .4}, {.3, .7}, {.5, .5}}),
        federation({100, 100, 800}, {.5, .2, .2}, {{1, 0, 0}, {0, 1, 0}, {.2, .2, .6}}, 300),
        federation({1000, 60, 300}, {.1, .7, .3}, {{.5, .5}, {.9, .1}, {.2, .8}}, 400),
        federation({60, 60, 200}, {.12, .1, .1}, {{.6, .4}, {.3, .7}, {.5, .5}})}) {  // nothing is detectable
    CHECK(worst(weights_of(WeightRule::kMaximin, f), f) >= best_of_grid(f) - 1e-4);
  }
}

// Section 1.6, where weights by size take the overlap of the weakest archetype from .758 to .841.
TEST_CASE("maximin weights improve upon weights by size in the prototype's check") {
  const Federation f = federation({150, 300, 600, 1200}, {.30, .20, .12, .06},
                                  {{.6, .4, 0}, {.4, .4, .2}, {.4, .3, .3}, {.2, .1, .7}});
  CHECK(std::abs(worst(weights_of(WeightRule::kEqual, f), f) - .758) < 1e-3);
  CHECK(std::abs(worst(weights_of(WeightRule::kSize, f), f) - .841) < 1e-3);
  CHECK(worst(weights_of(WeightRule::kMaximin, f), f) > .842);
}

TEST_CASE("a client of pure noise is given next to nothing, equal clients the same") {
  const Federation noisy = federation({400, 400, 400}, {.3, .3, 1e-6}, {{.5, .5}, {.5, .5}, {.5, .5}});
  const std::vector<double> weights = weights_of(WeightRule::kMaximin, noisy);
  CHECK(weights[2] < 0.01);
  CHECK(weights[0] == Approx(weights[1]).epsilon(0.02));

  const Federation same = federation({200, 200, 200}, {.3, .3, .3}, {{.5, .5}, {.5, .5}, {.5, .5}});
  for (const double a : weights_of(WeightRule::kMaximin, same)) CHECK(a == Approx(1. / 3).epsilon(1e-6));
}

// For one archetype at one quality the pooled examples cannot be improved upon.
TEST_CASE("clients of one quality are best pooled by size") {
  const Federation f = federation({100, 200, 700}, {.2, .2, .2}, {{1}, {1}, {1}});
  const std::vector<double> weights = weights_of(WeightRule::kMaximin, f);
  const std::vector<double> size = weights_of(WeightRule::kSize, f);
  for (size_t c = 0; c < 3; ++c) CHECK(weights[c] == Approx(size[c]).epsilon(1e-3));
}

TEST_CASE("archetypes that nobody sees are left out, and without any the weights are by size") {
  Federation f = kMixed;
  const std::vector<double> before = weights_of(WeightRule::kMaximin, f);
  f.signals.push_back(std::vector<double>(4, 0));
  CHECK(weights_of(WeightRule::kMaximin, f) == before);
  f.signals = {std::vector<double>(4, 0)};
  CHECK(weights_of(WeightRule::kMaximin, f) == weights_of(WeightRule::kSize, f));
  CHECK(worst(before, f) == std::numeric_limits<double>::infinity());
}

TEST_CASE("the choice of weights stops when asked to") {
  const auto answer =
      client_weights(WeightRule::kMaximin, kMixed.clients, kMixed.dim, kMixed.signals, [] { return false; });
  CHECK(answer.status().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
