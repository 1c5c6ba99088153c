#include "spectral/correlations.h"

#include <doctest/doctest.h>

#include <Eigen/LU>
#include <vector>

#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::patterns;
using support::random_archetypes;

Eigen::MatrixXd correlations(const std::vector<float>& xi, Eigen::Index count, Eigen::Index dim) {
  const Eigen::MatrixXd columns = Eigen::Map<const Eigen::MatrixXf>(xi.data(), dim, count).cast<double>();
  return columns.transpose() * columns / static_cast<double>(dim);
}

TEST_CASE("the inverse undoes the overlaps of archetypes") {
  const std::vector<int8_t> states = random_archetypes(6, 50, 1);
  const std::vector<float> xi = as_floats(patterns(states, 50));
  REQUIRE(xi.size() == states.size());
  for (size_t i = 0; i < xi.size(); ++i) CHECK(xi[i] == static_cast<float>(states[i]));
  const Eigen::MatrixXd c = correlations(xi, 6, 50);
  CHECK((inverse_correlations({xi.data(), 6, 50}) - c.inverse()).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("archetypes that depend on each other have a generalised inverse") {
  std::vector<int8_t> states = random_archetypes(3, 40, 2);
  for (size_t n = 0; n < 40; ++n) states.push_back(static_cast<int8_t>(-states[n]));  // the first, negated
  const std::vector<float> xi = as_floats(patterns(states, 40));
  const Eigen::MatrixXd c = correlations(xi, 4, 40);
  const Eigen::MatrixXd inverse = inverse_correlations({xi.data(), 4, 40});
  CHECK(inverse.allFinite());
  CHECK((c * inverse * c - c).cwiseAbs().maxCoeff() < 1e-12);
}

}  // namespace
}  // namespace engram::spectral
