/* The table between the engine and a plugin that computes on devices: plain C, one exported symbol.
 *
 * The plugin is a shared library beside the addon; engine/device_plugin.h loads it. A table is good for an
 * engine when its `version` is the engine's: any change of this file that is not an addition at the end of
 * EngramDeviceTable raises the version, and additions raise `size`.
 *
 * Functions that can fail return 0, or a code of engram::StatusCode with a message in *failure that names the
 * device and the operation. No exception leaves them. Matrices are row-major and packed. Pointers are host
 * memory, not kept after the call returns unless stated.
 */
#ifndef ENGRAM_ENGINE_DEVICE_TABLE_H_
#define ENGRAM_ENGINE_DEVICE_TABLE_H_

#include <stdint.h>

#include "engine/device_transport.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ENGRAM_DEVICE_TABLE_VERSION 1u
#define ENGRAM_DEVICE_TABLE_SYMBOL "engram_device_table"

struct EngramFailure {
  int32_t code;
  char message[512];
};

typedef struct EngramDeviceFacts {
  char name[256];
  uint64_t memory_bytes;
  uint64_t l2_bytes;
  uint32_t multiprocessors;
  int32_t compute_major; /* compute capability */
  int32_t compute_minor;
} EngramDeviceFacts;

/* How a device keeps the numbers of a memory. */
enum { ENGRAM_ELEMENT_F32 = 0, ENGRAM_ELEMENT_F16 = 1, ENGRAM_ELEMENT_BF16 = 2 };
/* How Float32 rows are multiplied on matrix units. */
enum { ENGRAM_ARITHMETIC_TF32X3 = 0, ENGRAM_ARITHMETIC_TF32 = 1, ENGRAM_ARITHMETIC_BF16 = 2 };
/* What a key adds to its dot product: engram::engine::KeyTerm. */
enum { ENGRAM_TERM_NONE = 0, ENGRAM_TERM_HALF_SQUARE_NORM = 1, ENGRAM_TERM_RECIPROCAL_NORM = 2 };
/* engram::engine::Fold. */
enum {
  ENGRAM_FOLD_LOG_SUM_EXP = 0,
  ENGRAM_FOLD_READOUT = 1,
  ENGRAM_FOLD_TOP_K = 2,
  ENGRAM_FOLD_CANDIDATES = 3
};

/* Room for rows on a device; its rows never move. */
typedef struct EngramRows EngramRows;
typedef struct EngramRowsLayout {
  uint64_t capacity; /* rows */
  uint32_t dim;      /* of keys */
  uint32_t width;    /* of values; 0: keys are the values */
  uint32_t element;  /* ENGRAM_ELEMENT_* */
} EngramRowsLayout;

/* Copies host memory into staging; the engine shares the work out to its threads. */
typedef void (*EngramCopy)(void* to, const void* from, uint64_t bytes);

/* One run of rows of a fold: resident ones, or ones in host memory that pass through the device. */
typedef struct EngramFoldPart {
  const EngramRows* rows; /* row 0 of `rows` is item first_item; null: */
  const float* keys;      /* count x dim */
  const float* values;    /* count x width of the layout; null where keys are the values */
  uint64_t first_item;
  uint64_t count;
} EngramFoldPart;

typedef struct EngramCandidate {
  uint64_t index;
  float score;
} EngramCandidate;

/* engine/score_fold.h in plain C. Everything it points to lives until end_fold. */
typedef struct EngramFold {
  const EngramFoldPart* parts; /* ascending, gap-free */
  uint64_t part_count;
  const uint64_t* removed; /* bit j % 64 of word j / 64: item j is removed */
  uint64_t removed_words;
  uint32_t dim;
  uint32_t width;      /* of the values of the memory; 0: keys are the values */
  uint32_t element;    /* of parts that pass through */
  uint32_t arithmetic; /* ENGRAM_ARITHMETIC_* */
  uint32_t term;       /* ENGRAM_TERM_* */
  uint32_t fold;       /* ENGRAM_FOLD_* */
  uint32_t read_keys;  /* READOUT: 1 reads keys out, 0 values */
  uint32_t k;          /* TOP_K: 1..1024 */

  const float* queries; /* query_count x dim */
  const float* scale;   /* query_count, > 0 */
  uint64_t query_count;
  const float* threshold; /* CANDIDATES: query_count */

  double* lse;
  float* readout;
  EngramCandidate* top;
  /* CANDIDATES: called by rising query, then rising item, from the thread that steps */
  void (*take)(void* context, uint64_t query, EngramCandidate candidate);
  void* take_context;
  float* max_square_norm; /* may be null */
} EngramFold;

typedef struct EngramDeviceTable {
  uint32_t version; /* ENGRAM_DEVICE_TABLE_VERSION */
  uint32_t size;    /* sizeof(EngramDeviceTable) */

  /* How many devices there are; kDevice with the reason where there is none or no usable driver. */
  int32_t (*count)(uint32_t* devices, EngramFailure* failure);
  int32_t (*facts)(uint32_t device, EngramDeviceFacts* facts, EngramFailure* failure);

  /* kOutOfMemory. */
  int32_t (*create_rows)(uint32_t device, const EngramRowsLayout* layout, EngramRows** rows,
                         EngramFailure* failure);
  void (*destroy_rows)(EngramRows* rows);
  uint64_t (*rows_bytes)(const EngramRows* rows);

  int32_t (*open_lane)(uint32_t device, EngramCopy copy, EngramLane** lane, EngramFailure* failure);
  void (*close_lane)(EngramLane* lane);
  /* Bytes of the device that the lane holds for its work. */
  uint64_t (*lane_bytes)(const EngramLane* lane);

  /* Copies rows [first, first + count) in; returns when they are there and the sources may change. Any
   * numbers may come: a row that cannot be scored (an element is not finite as the device keeps or multiplies
   * it, or |x|^2 is FLT_MAX / 4 or more) fails the folds that meet it, but none where it is removed. */
  int32_t (*fill_rows)(EngramLane* lane, EngramRows* rows, uint64_t first, uint64_t count, const float* keys,
                       const float* values, EngramFailure* failure);

  /* A fold runs in steps of some milliseconds: begin, step until *ended, end (always, also after a failure).
   * *work is how many scores (rows x queries) the step accounts for. One fold at a time on a lane. A step
   * fails with kNonFinite where an item that is not removed cannot be scored (see fill_rows; so do the rows
   * of parts that pass through), and with kRange where scores may leave Float32. */
  int32_t (*begin_fold)(EngramLane* lane, const EngramFold* fold, EngramFailure* failure);
  int32_t (*step_fold)(EngramLane* lane, uint32_t* ended, uint64_t* work, EngramFailure* failure);
  void (*end_fold)(EngramLane* lane);

  EngramDeviceTransport transport;
} EngramDeviceTable;

/* Exported by the plugin under ENGRAM_DEVICE_TABLE_SYMBOL; null never. */
typedef const EngramDeviceTable* (*EngramDeviceTableFunction)(void);

#ifdef __cplusplus
}
#endif

#endif /* ENGRAM_ENGINE_DEVICE_TABLE_H_ */
