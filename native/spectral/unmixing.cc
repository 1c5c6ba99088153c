#include "spectral/unmixing.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "spectral/deflation.h"

namespace engram::spectral {
namespace {

constexpr size_t kStartsAtOnce = 50;  // between looks at whether all archetypes have been found

Status check(const FloatRows& v, std::span<const double> gamma) {
  if (gamma.size() != 1 && gamma.size() != v.rows) {
    return {StatusCode::kShape, std::to_string(gamma.size()) + " predicted overlaps for " +
                                    std::to_string(v.rows) + " directions"};
  }
  for (const double g : gamma) {
    const bool is_valid = g > 0 && g <= 1;
    if (!is_valid) {
      return {StatusCode::kRange, "a predicted overlap is in (0, 1], not " + std::to_string(g)};
    }
  }
  return check_orthonormal(v);
}

// Keeps the best of all candidates so far.
class Search {
 public:
  Search(const FloatRows& v, std::span<const double> gamma, const UnmixingOptions& options,
         const KeepGoing& keep_going)
      : v_(v), gamma_(gamma), options_(options), keep_going_(keep_going), rest_(v) {
    found_.archetypes.dim = v.cols;
  }

  // What each leaves undone is for the next one to try on the rest of the subspace.
  Status components() {
    IcaOptions ica = options_.ica;
    ica.seed = options_.seed;
    Result<IcaRotation> rotation = fast_ica(rest_, ica, keep_going_);
    if (!rotation.ok()) return rotation.status();
    found_.sweeps += rotation.value().sweeps;
    found_.ica_converged = rotation.value().converged;
    // Where the rotation turns on and on, its rows are mixtures.
    return found_.ica_converged ? add(sign_sources(rest_, rotation.value().weights)) : Status();
  }

  Status projections() {
    SignProjectionOptions projection = options_.sign_projection;
    projection.seed = options_.seed;
    const size_t count = std::min<size_t>(kStartsAtOnce, options_.starts - found_.starts);
    Result<std::vector<int8_t>> states =
        sign_projection(rest_, found_.starts, count, projection, keep_going_);
    if (!states.ok()) return states.status();
    found_.starts += static_cast<uint32_t>(count);
    return add(std::move(states.value()));
  }

  Status layers() {
    LamOptions layered = options_.lam;
    layered.seed = options_.seed;
    found_.starts = lam_blocks(layered, v_.rows);
    Result<std::vector<int8_t>> states = lam(v_, 0, found_.starts, layered, keep_going_);
    return states.ok() ? add(std::move(states.value())) : states.status();
  }

  size_t missing() const { return v_.rows - found_.archetypes.count(); }
  bool has_starts() const { return found_.starts < options_.starts; }
  Unmixing& found() { return found_; }

 private:
  Status add(std::vector<int8_t> states) {
    // A candidate from the rest lacks what its archetype has in common with those found before.
    if (rest_.rows < v_.rows) {
      Status status = settle(v_, options_.sign_projection.quiet_steps, states, keep_going_);
      if (!status.ok()) return status;
    }
    const Archetypes& known = found_.archetypes;
    states.insert(states.begin(), known.states.begin(), known.states.end());
    const MatrixView<const int8_t> candidates(states.data(), states.size() / v_.cols, v_.cols);
    Result<Archetypes> best = select(v_, gamma_, candidates, options_.acceptance, keep_going_);
    if (!best.ok()) return best.status();
    best.value().rejected += known.rejected;
    best.value().merged += known.merged;
    found_.archetypes = std::move(best.value());
    rest_rows_ = remaining_subspace(v_, found_.archetypes);
    rest_ = FloatRows(rest_rows_.data(), missing(), v_.cols);
    return {};
  }

  const FloatRows v_;
  const std::span<const double> gamma_;
  const UnmixingOptions& options_;
  const KeepGoing& keep_going_;
  Unmixing found_;
  std::vector<float> rest_rows_;
  FloatRows rest_;  // the part of v that no archetype found so far lies in
};

// Components are analysed again whenever enough archetypes have been taken out for the rest to be learnt.
Status run(Search& search, const FloatRows& v, UnmixingMethod method) {
  if (method == UnmixingMethod::kLam) return search.layers();
  size_t analysed = v.rows + 1;  // how many were missing then
  while (search.missing() > 0) {
    const size_t missing = search.missing();
    const bool learnable = missing * missing <= v.cols && missing < analysed;
    Status status;
    if (method == UnmixingMethod::kIca && learnable) {
      analysed = missing;
      status = search.components();
    } else if (search.has_starts()) {
      status = search.projections();
    } else {
      break;
    }
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

Result<Unmixing> unmix(const FloatRows& v, std::span<const double> gamma, const UnmixingOptions& options,
                       const KeepGoing& keep_going) {
  if (v.rows == 0) {
    Unmixing nothing;
    nothing.archetypes.dim = v.cols;
    return nothing;
  }
  Status status = check(v, gamma);
  if (!status.ok()) return status;
  Search search(v, gamma, options, keep_going);
  status = run(search, v, options.method);
  if (!status.ok()) return status;
  return std::move(search.found());
}

}  // namespace engram::spectral
