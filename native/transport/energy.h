// The Hopfield-style energy of measures, and the Gibbs weights it gives to stored clouds.
#pragma once

#include <cstddef>
#include <span>

namespace engram::transport {

// E = -(1/beta) log sum_k exp(log_prior_k - beta S_k); log_prior may be empty (0). S of infinity: left out.
double energy_of(std::span<const double> divergences, std::span<const float> log_prior, double beta);

}  // namespace engram::transport
