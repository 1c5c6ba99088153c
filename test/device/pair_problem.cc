#include "device/pair_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "device/random.h"

namespace engram::device_test {
namespace {

void demand(int32_t code, const EngramFailure& failure) {
  if (code != 0) throw Refusal(code, failure.message);
}

EngramCloudSet set_of(const std::vector<float>& points, const std::vector<double>& weights,
                      const std::vector<uint32_t>& offsets, uint32_t dim) {
  return {points.data(), weights.data(), offsets.data(), static_cast<uint32_t>(offsets.size() - 1), dim};
}

// costs (rows x columns) between the query and a stored cloud.
std::vector<double> costs_of(const PairProblem& p, uint32_t cloud) {
  std::vector<double> costs(size_t{p.rows} * p.columns);
  const float* const y = p.stored.data() + size_t{cloud} * p.columns * p.dim;
  for (uint32_t i = 0; i < p.rows; ++i) {
    for (uint32_t j = 0; j < p.columns; ++j) {
      double sum = 0;
      for (uint32_t d = 0; d < p.dim; ++d) {
        const double apart = static_cast<double>(p.query[size_t{i} * p.dim + d]) - y[size_t{j} * p.dim + d];
        sum += apart * apart;
      }
      costs[size_t{i} * p.columns + j] = sum / 2;
    }
  }
  return costs;
}

// -epsilon log sum_j w exp((g_j - c_j) / epsilon) over a row or column of costs.
double softmin(const double* cost, size_t step, const std::vector<double>& g, double epsilon) {
  double most = -INFINITY;
  for (size_t j = 0; j < g.size(); ++j) most = std::max(most, (g[j] - cost[j * step]) / epsilon);
  double sum = 0;
  for (size_t j = 0; j < g.size(); ++j) sum += std::exp((g[j] - cost[j * step]) / epsilon - most);
  return -epsilon * (most + std::log(sum / static_cast<double>(g.size())));
}

// OT by alternating soft c-transforms, until it moves no more.
double transport(const PairProblem& p, uint32_t cloud) {
  const std::vector<double> costs = costs_of(p, cloud);
  std::vector<double> f(p.rows);
  std::vector<double> g(p.columns, 0.0);
  double value = 0;
  for (int iteration = 0; iteration < 100'000; ++iteration) {
    for (uint32_t i = 0; i < p.rows; ++i) f[i] = softmin(&costs[size_t{i} * p.columns], 1, g, p.epsilon);
    for (uint32_t j = 0; j < p.columns; ++j) g[j] = softmin(&costs[j], p.columns, f, p.epsilon);
    double sum = 0;
    for (const double x : f) sum += x / p.rows;
    for (const double x : g) sum += x / p.columns;
    if (std::abs(sum - value) <= 1e-12 * std::abs(sum)) return sum;
    value = sum;
  }
  return value;
}

// How far transforms and projections are from those of the potential that was found.
double projected_off(const PairProblem& p, const PairAnswers& answers, uint32_t cloud) {
  const std::vector<double> costs = costs_of(p, cloud);
  const double* const potential = answers.potentials.data() + size_t{cloud} * p.columns;
  const std::vector<double> g(potential, potential + p.columns);
  double off = 0;
  for (uint32_t i = 0; i < p.rows; ++i) {
    const size_t row = size_t{cloud} * p.rows + i;
    const double* const cost = &costs[size_t{i} * p.columns];
    const double f = softmin(cost, 1, g, p.epsilon);
    const auto compare = [&off](double found, double exact) {
      const double apart = std::abs(found - exact);
      off = std::max(off, std::isnan(apart) ? INFINITY : apart);
    };
    compare(answers.transforms[row], f);
    for (uint32_t d = 0; d < p.dim; ++d) {
      double mean = 0;
      for (uint32_t j = 0; j < p.columns; ++j) {
        const double y = p.stored[(size_t{cloud} * p.columns + j) * p.dim + d];
        mean += std::exp((f + g[j] - cost[j]) / p.epsilon) / p.columns * y;
      }
      compare(answers.projections[row * p.dim + d], mean);
    }
  }
  return off;
}

}  // namespace

std::string PairProblem::name() const {
  return std::to_string(clouds) + " clouds of " + std::to_string(columns) + " points in " +
         std::to_string(dim) + " dimensions" + (rows == columns ? "" : " and one of " + std::to_string(rows));
}

PairProblem make_pairs(uint32_t rows, uint32_t columns, uint32_t dim, uint32_t clouds, uint64_t seed) {
  PairProblem p{.rows = rows,
                .columns = columns,
                .dim = dim,
                .clouds = clouds,
                .epsilon = 0.1,
                .tolerance = 1e-6,
                .iterations = 2000,
                .query = std::vector<float>(size_t{rows} * dim),
                .stored = std::vector<float>(size_t{clouds} * columns * dim),
                .row_weights = std::vector<double>(rows, 1.0 / rows),
                .weights = std::vector<double>(size_t{clouds} * columns, 1.0 / columns),
                .row_offsets = {0, rows},
                .offsets = {}};
  fill_normal(p.query.data(), p.query.size(), seed);
  fill_normal(p.stored.data(), p.stored.size(), seed + 1);
  for (uint32_t k = 0; k <= clouds; ++k) p.offsets.push_back(k * columns);
  return p;
}

Clouds::Clouds(const Device& device, Lane& lane, const PairProblem& problem) : table_(device.table()) {
  const uint64_t points = problem.weights.size();
  EngramFailure failure{};
  demand(table_.transport.create_clouds(device.number(), points, problem.dim, &clouds_, &failure), failure);
  for (const auto& [first, count] : {std::pair{uint64_t{0}, points / 3}, {points / 3, points - points / 3}}) {
    demand(table_.transport.fill_clouds(lane.get(), clouds_, first, count,
                                        problem.stored.data() + first * problem.dim,
                                        problem.weights.data() + first, &failure),
           failure);
  }
}

Clouds::~Clouds() { table_.transport.destroy_clouds(clouds_); }

PairAnswers solve(const Device& device, Lane& lane, const Clouds* resident, const PairProblem& problem,
                  bool projects) {
  const EngramCloudSet stored = set_of(problem.stored, problem.weights, problem.offsets, problem.dim);
  const std::vector<double> points(problem.query.begin(), problem.query.end());
  const EngramMeasureSet queries{.points = points.data(),
                                 .weights = problem.row_weights.data(),
                                 .offsets = problem.row_offsets.data(),
                                 .count = 1,
                                 .dim = problem.dim};
  const std::vector<uint32_t> query(problem.clouds, 0);
  std::vector<uint32_t> cloud(problem.clouds);
  for (uint32_t k = 0; k < problem.clouds; ++k) cloud[k] = k;
  const size_t rows = projects ? size_t{problem.clouds} * problem.rows : 0;
  PairAnswers answers;
  answers.solutions.resize(problem.clouds);
  answers.potentials.resize(size_t{problem.clouds} * problem.columns);
  answers.transforms.resize(rows);
  answers.projections.resize(rows * problem.dim);
  const EngramPairs pairs{.stored = &stored,
                          .resident = resident == nullptr ? nullptr : resident->get(),
                          .queries = &queries,
                          .query = query.data(),
                          .cloud = cloud.data(),
                          .count = problem.clouds,
                          .cost_scale = 0.5,
                          .epsilon = problem.epsilon,
                          .tolerance = problem.tolerance,
                          .max_iterations = problem.iterations,
                          .potentials = answers.potentials.data(),
                          .solutions = answers.solutions.data(),
                          .transforms = projects ? answers.transforms.data() : nullptr,
                          .projections = projects ? answers.projections.data() : nullptr,
                          .keep_going = [](void*) { return uint32_t{1}; },
                          .context = nullptr};
  EngramFailure failure{};
  demand(device.table().transport.solve_pairs(lane.get(), &pairs, &failure), failure);
  return answers;
}

std::string judge(const PairProblem& problem, const PairAnswers& answers, uint32_t compared) {
  for (uint32_t k = 0; k < std::min(compared, problem.clouds); ++k) {
    const EngramPairSolution& found = answers.solutions[k];
    const double exact = transport(problem, k);
    const double bound = found.residual * (found.spread + found.range) / 2;
    const double rounding = 1e-9 * (1 + std::abs(exact));
    // Written so that NaN is wrong.
    const bool certified =
        found.value <= exact + rounding && exact <= found.value + bound + rounding && found.residual < 1;
    const double off = answers.projections.empty() ? 0 : projected_off(problem, answers, k);
    if (certified && off <= 1e-10) continue;
    char text[200];
    if (certified) {
      std::snprintf(text, sizeof text, "pair %u: transforms or projections are off by %.3g", k, off);
      return text;
    }
    std::snprintf(text, sizeof text, "pair %u: %.12g with residual %.3g and bound %.3g, OT is %.12g", k,
                  found.value, found.residual, bound, exact);
    return text;
  }
  return {};
}

}  // namespace engram::device_test
