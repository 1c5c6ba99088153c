// A memory and queries, made at random, and what is asked of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/device.h"
#include "device/format.h"

namespace engram::device_test {

enum class Term : uint32_t { kNone, kHalfSquareNorm, kReciprocalNorm };   // as engram::engine::KeyTerm
enum class Fold : uint32_t { kLogSumExp, kReadout, kTopK, kCandidates };  // as engram::engine::Fold

const char* name_of(Term term);
const char* name_of(Fold fold);

struct Shape {
  uint64_t count;
  uint32_t dim;
  uint64_t queries;
  uint32_t width;  // of separate values; 0: keys are the values
};

struct Case {
  Shape shape;
  Format format;
  Term term;
  Fold fold;
  uint32_t k;
  bool removals;
  double sharpness;  // standard deviation of the scaled scores, about

  std::string name() const;
};

struct Problem {
  Case asked;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> queries;
  std::vector<float> scale;
  std::vector<float> threshold;
  std::vector<uint64_t> removed;

  bool is_removed(uint64_t item) const;
  uint64_t live() const;
  // Width of what a readout gives.
  uint32_t width() const { return asked.shape.width == 0 ? asked.shape.dim : asked.shape.width; }
  const float* read_out() const { return asked.shape.width == 0 ? keys.data() : values.data(); }
};

Problem make_problem(const Case& asked, uint64_t seed);

struct Answer {
  std::vector<double> lse;
  std::vector<float> readout;
  std::vector<EngramCandidate> top;
  std::vector<std::vector<EngramCandidate>> hits;
  float max_square_norm = 0;
  uint64_t scores = 0;  // that the steps accounted for

  bool operator==(const Answer& other) const;  // bit for bit
};

// The problem's memory on a device, all rows resident.
std::unique_ptr<Rows> resident(const Device& device, Lane& lane, const Problem& problem);

// Asks for the problem's fold over these parts. What is written is poisoned first.
Answer ask(Lane& lane, const Problem& problem, const std::vector<EngramFoldPart>& parts);

EngramFoldPart whole(const Problem& problem, const Rows& rows);
// Rows [first, first + count) as they lie in host memory.
EngramFoldPart passing(const Problem& problem, uint64_t first, uint64_t count);

}  // namespace engram::device_test
