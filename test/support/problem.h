// A score-and-fold over random data, for every backend alike.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/score_fold.h"
#include "support/reference.h"

namespace engram::reference {

struct Problem {
  std::vector<float> keys, values, queries, scale;
  std::vector<uint64_t> removed;
  std::vector<engine::KeyBlock> blocks;
  engine::ScoreFold op;

  Problem(uint64_t count, size_t dim, size_t value_dim, uint64_t query_count, engine::KeyTerm term,
          bool with_removed) {
    keys = random_floats(count * dim, count + dim);
    values = random_floats(count * value_dim, count + 17 * value_dim);
    queries = random_floats(query_count * dim, query_count + 3 * dim);
    for (uint64_t i = 0; i < query_count; ++i) scale.push_back(1.0F + static_cast<float>(i % 3));
    if (with_removed) {
      // Shorter than the memory, as after store(): it reaches as far as there were items at the last
      // remove().
      const uint64_t known = count - count / 4;
      removed.assign((known + 63) / 64, 0);
      for (uint64_t j = 0; j + 1 < known; j += 3) removed[j / 64] |= uint64_t{1} << (j % 64);
    }
    // Three blocks of uneven size, as a memory grown by store() has.
    const uint64_t cuts[] = {0, count / 5, count / 2, count};
    for (size_t b = 0; b < 3; ++b) {
      if (cuts[b] == cuts[b + 1]) continue;
      blocks.push_back({&keys[cuts[b] * dim], &values[cuts[b] * value_dim], cuts[b], cuts[b + 1] - cuts[b]});
    }
    op.blocks = blocks;
    op.count = count;
    op.dim = dim;
    op.value_dim = value_dim;
    op.separate_values = true;
    op.removed = removed;
    op.term = term;
    op.queries = queries.data();
    op.query_count = query_count;
    op.scale = scale.data();
  }
};

// Scores are below 3 * (dim + dim / 2) in magnitude; their Float32 error moves weights by this much.
inline double tolerance(const Problem& p) { return 1e-6 * (static_cast<double>(p.op.dim) + 4); }

}  // namespace engram::reference
