/* Transport between point clouds on a device: part of the table of engine/device_table.h.
 *
 * A problem: measures mu (points x_i, weights a_i) and nu (y_j, b_j), cost_scale * |x - y|^2, regularised by
 * epsilon, as transport/problem.h has it.
 */
#ifndef ENGRAM_ENGINE_DEVICE_TRANSPORT_H_
#define ENGRAM_ENGINE_DEVICE_TRANSPORT_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EngramFailure EngramFailure;
/* A queue of a device with its working memory. Used by one thread at a time; lanes work side by side. */
typedef struct EngramLane EngramLane;

/* Clouds side by side: cloud k has the points [offsets[k], offsets[k + 1]). Weights of a cloud sum to 1. */
typedef struct EngramCloudSet {
  const float* points;   /* offsets[count] x dim */
  const double* weights; /* offsets[count] */
  const uint32_t* offsets;
  uint32_t count;
  uint32_t dim;
} EngramCloudSet;

/* The same with points in Float64: measures that flow. */
typedef struct EngramMeasureSet {
  const double* points;
  const double* weights;
  const uint32_t* offsets;
  uint32_t count;
  uint32_t dim;
} EngramMeasureSet;

/* Points of clouds, with their weights, that stay on a device. */
typedef struct EngramClouds EngramClouds;

typedef struct EngramPairSolution {
  double value;    /* D(g): at most OT */
  double residual; /* L1, of the second marginal at (f, g), by Float64 */
  double spread;   /* max_i (max_j - min_j) of the costs, over points with mass */
  double range;    /* max_j - min_j of g, over points with mass */
  uint32_t iterations;
  uint32_t converged; /* 1: residual <= tolerance */
} EngramPairSolution;

/* Pairs of a query (mu) and a stored cloud (nu), each a problem of its own. */
typedef struct EngramPairs {
  const EngramCloudSet* stored;    /* in host memory */
  const EngramClouds* resident;    /* all their points; null: those of the pairs' clouds pass through */
  const EngramMeasureSet* queries; /* in host memory */
  const uint32_t* query;           /* count: which query */
  const uint32_t* cloud;           /* count: which stored cloud */
  uint64_t count;
  double cost_scale;
  double epsilon;
  double tolerance; /* 0: all iterations */
  uint32_t max_iterations;
  /* In: where to begin, out: where it ended; g in units of the cost, for the points of the stored cloud, pair
   * by pair one behind the other. */
  double* potentials;
  EngramPairSolution* solutions; /* count */
  /* What a gradient is made of, by Float64, for the points of the query, pair by pair; both null where it is
   * not wanted: the soft c-transform f of g, and the barycentric projections (x dim). */
  double* transforms;
  double* projections;
  /* Asked every few milliseconds where pairs take longer; 0: give up. */
  uint32_t (*keep_going)(void* context);
  void* context;
} EngramPairs;

typedef struct EngramDeviceTransport {
  /* Room for so many points and their weights. kOutOfMemory. */
  int32_t (*create_clouds)(uint32_t device, uint64_t points, uint32_t dim, EngramClouds** created,
                           EngramFailure* failure);
  void (*destroy_clouds)(EngramClouds* clouds);
  uint64_t (*clouds_bytes)(const EngramClouds* clouds);
  /* Copies points [first, first + count) and their weights there. When it returns they are there, and the
   * sources may change. */
  int32_t (*fill_clouds)(EngramLane* lane, EngramClouds* clouds, uint64_t first, uint64_t count,
                         const float* points, const double* weights, EngramFailure* failure);
  /* 1 where a pair of so many points can be solved: up to 2^28 entries. */
  int32_t (*fits)(uint32_t rows, uint32_t columns);
  /* Solves all pairs, each of which fits. Those that converge too slowly for plain iterations end early, with
   * converged 0. Returns when the answers are there; kAborted where it was not to keep going. */
  int32_t (*solve_pairs)(EngramLane* lane, const EngramPairs* pairs, EngramFailure* failure);
} EngramDeviceTransport;

#ifdef __cplusplus
}
#endif

#endif /* ENGRAM_ENGINE_DEVICE_TRANSPORT_H_ */
