#include "spectral/sketch.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <vector>

#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Eigen::MatrixXd;

constexpr Eigen::Index kDim = 120;

// Rows with a few strong directions on noise.
RowMajor spiked_rows(Eigen::Index count, uint64_t stream) {
  RandomStream random(21, stream);
  RowMajor rows(count, kDim);
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index n = 0; n < kDim; ++n) rows(i, n) = static_cast<float>(random.gaussian());
    rows(i, i % 3) += 12.0F - 3.0F * static_cast<float>(i % 3);
  }
  return rows;
}

// All the stream's rows at once, and a sketch of it by batches of 40.
struct Stream {
  MatrixXd second_moment = MatrixXd::Zero(kDim, kDim);
  Sketch sketch;

  Stream(size_t rank, SketchRule rule, double forget = 1) : sketch(kDim, rank, rule) {
    for (uint64_t batch = 0; batch < 8; ++batch) {
      const RowMajor rows = spiked_rows(40, batch);
      const std::vector<double> weights(40, 0.5);
      REQUIRE(sketch.add(rows.data(), 40, weights.data(), forget, {}).ok());
      const MatrixXd exact = rows.cast<double>();
      second_moment = forget * second_moment + 0.5 * exact.transpose() * exact;
    }
  }

  MatrixXd sketched() const {
    const auto rank = static_cast<Eigen::Index>(sketch.rank());
    const MatrixXd factor = Eigen::Map<const RowMajor>(sketch.factor().data(), rank, kDim).cast<double>();
    return factor.transpose() * Eigen::VectorXd::Map(sketch.values().data(), rank).asDiagonal() * factor;
  }
};

// Rising.
Eigen::VectorXd eigenvalues(const MatrixXd& matrix) {
  return Eigen::SelfAdjointEigenSolver<MatrixXd>(matrix, Eigen::EigenvaluesOnly).eigenvalues();
}

TEST_CASE("a sketch of full rank is the stream itself, old batches forgotten as asked") {
  for (const SketchRule rule : {SketchRule::kIncrementalSvd, SketchRule::kFrequentDirections}) {
    const Stream stream(kDim, rule, 0.7);
    const double scale = stream.second_moment.cwiseAbs().maxCoeff();
    CHECK((stream.sketched() - stream.second_moment).cwiseAbs().maxCoeff() < 2e-5 * scale);
    CHECK(stream.sketch.discarded() < 1e-4 * stream.second_moment.trace());
  }
}

TEST_CASE("a truncated sketch keeps the strong directions and knows what it left out") {
  const Stream stream(30, SketchRule::kIncrementalSvd);
  CHECK(stream.sketch.rank() == 30);
  CHECK(stream.sketched().trace() + stream.sketch.discarded() ==
        Approx(stream.second_moment.trace()).epsilon(1e-5));
  const Eigen::VectorXd exact = eigenvalues(stream.second_moment);
  for (Eigen::Index k = 0; k < 3; ++k) {
    CHECK(stream.sketch.values()[static_cast<size_t>(k)] == Approx(exact[kDim - 1 - k]).epsilon(0.01));
  }
}

TEST_CASE("Frequent Directions never exceeds the stream, and misses no more than its bound") {
  const Stream stream(20, SketchRule::kFrequentDirections);
  const Eigen::VectorXd missed = eigenvalues(stream.second_moment - stream.sketched());
  const double rounding = 1e-5 * stream.second_moment.trace();
  CHECK(missed[0] >= -rounding);
  CHECK(missed[kDim - 1] <= stream.sketch.shrinkage() + rounding);
  const Eigen::VectorXd exact = eigenvalues(stream.second_moment);
  for (const Eigen::Index k : {0, 3, 10}) {
    CHECK(stream.sketch.shrinkage() <= exact.head(kDim - k).sum() / static_cast<double>(20 - k) + rounding);
  }
  CHECK(stream.sketch.shrinkage() > 0);
}

TEST_CASE("a batch that is refused leaves the sketch as it was") {
  Stream stream(20, SketchRule::kIncrementalSvd);
  const MatrixXd before = stream.sketched();
  const std::vector<float> rows(kDim, std::numeric_limits<float>::quiet_NaN());
  const double weight = 1;
  CHECK(stream.sketch.add(rows.data(), 1, &weight, 1, {}).code() == StatusCode::kNonFinite);
  CHECK((stream.sketched().array() == before.array()).all());
}

}  // namespace
}  // namespace engram::spectral
