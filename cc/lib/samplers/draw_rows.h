// SPDX-License-Identifier: Apache-2.0
// Draws candidates for each row of a batch on its own.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_

#include <cstdint>
#include <string>

#include "cc/lib/core/runtime.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

// The candidates that one call asks for, row by row.
struct RowsRequest {
  int64_t rows;
  const int64_t* splits;  // [rows + 1], row splits of the candidates
  bool unique;
  bool exact_counts;
  // Unless true_splits is nullptr, no row gets candidates that are its true classes, and its
  // expected counts are those of the distribution without them.
  const int64_t* true_splits;  // [rows + 1], row splits of true_classes
  const int64_t* true_classes;
};

// Draws the rows independently: row i depends on the stream, i, its number of candidates and its
// true classes alone. Returns what is wrong with a row's number of candidates, or nothing.
std::string DrawRows(Runtime& runtime, const Distribution& distribution, const PhiloxStream& stream,
                     const RowsRequest& request, int64_t* candidates, float* expected_count);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_
