#include "node/detectability.h"

#include <span>
#include <string>

#include "node/arguments.h"
#include "node/errors.h"
#include "node/values.h"
#include "spectral/detectability.h"

namespace engram::node {
namespace {

std::vector<double> copy(std::span<const double> numbers) { return {numbers.begin(), numbers.end()}; }

// detectability(dim, samples, quality, archetypes, exposure (clients x archetypes), weightRule, weights |
// undefined, privacyNoise): [edge, eigenvalues, subspaceOverlap, archetypeOverlap, detectable,
// extraSamplesNeeded, clientWeights]
napi_value detectability(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  spectral::DetectabilityQuestion question;
  question.dim = arguments.number(0);
  question.samples = copy(arguments.doubles(1));
  question.quality = copy(arguments.doubles(2));
  question.archetypes = arguments.integer<size_t>(3);
  question.exposure = copy(arguments.doubles(4));
  question.weights = arguments.integer<spectral::WeightRule>(5);
  question.given_weights = copy(arguments.doubles(6));
  question.privacy_noise = arguments.number(7);
  if (!arguments.ok()) return nullptr;
  const Result<spectral::Detectability> answer = spectral::detectability(question, [] { return true; });
  if (!answer.ok()) return throw_status(env, answer.status());
  const spectral::Detectability& found = answer.value();
  std::vector<napi_value> detectable;
  for (const bool one : found.detectable) detectable.push_back(boolean(env, one));
  return array(env, {number(env, found.edge), float64_array(env, found.eigenvalues),
                     float64_array(env, found.subspace_overlap), float64_array(env, found.archetype_overlap),
                     array(env, detectable), float64_array(env, found.extra_samples_needed),
                     float64_array(env, found.client_weights)});
}

}  // namespace

std::vector<napi_property_descriptor> detectability_functions() {
  return {method("detectability", &detectability)};
}

}  // namespace engram::node
