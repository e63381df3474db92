/* Rows of scores side by side, each in a lane of a vector: the rows of SIDE sequences
 * (side_by_side.h), or of SIDE frames of a sequence (frame_rows.h). */
#ifndef CTC_SHIM_LANE_ROWS_H
#define CTC_SHIM_LANE_ROWS_H
#include "batch.h"

enum { CTC_SHIM_SIDE_CLASSES = 96 }; /* with more of them a vector of classes is full, too */
enum { CTC_SHIM_SIDE_LABELS = 32 };  /* with more of them a vector of labels is full, too */

#if defined(CTC_SHIM_HAS_LANES)
/* A number of each lane. */
typedef double ctc_shim_each[CTC_SHIM_SIDE] __attribute__((aligned(64)));

#include "float.inc.h"
#include "lane_rows.inc.h"
#include "double.inc.h"
#include "lane_rows.inc.h"
#endif
#endif
