// SPDX-License-Identifier: Apache-2.0
// Checks of ragged arguments.
#include "cc/lib/classes/ragged_ids.h"

#include <algorithm>
#include <cmath>

#include "cc/lib/classes/class_ids.h"
#include "cc/lib/classes/log_q.h"

namespace candsamp {
namespace {

// The row of the value at `position`.
int64_t RowOf(const RaggedIds& ids, int64_t rows, int64_t position) {
  return std::upper_bound(ids.splits, ids.splits + rows + 1, position) - ids.splits - 1;
}

// `if_never_drawn` is the cure for minus infinity, the log of an expected count of 0, `if_infinite`
// the one for infinity.
std::string CheckLogQ(const std::string& name, const float* log_q, const RaggedIds& ids,
                      int64_t rows, const char* if_never_drawn, const char* if_infinite) {
  const int64_t count = ids.splits[rows];
  const int64_t at = log_q ? FindNotFinite(log_q, count) : count;
  if (at == count) return "";
  const std::string of_class = " for class " + std::to_string(ids.values[at]) + " in row " +
                               std::to_string(RowOf(ids, rows, at));
  const std::string must = name + " must be finite, got ";
  if (std::isnan(log_q[at])) return must + "nan" + of_class;
  return log_q[at] < 0 ? must + "-inf" + of_class + if_never_drawn
                       : must + "inf" + of_class + if_infinite;
}

}  // namespace

std::string CheckRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                           int64_t num_values) {
  if (count < 1) return name + ": row splits must hold at least one value, got none";
  if (splits[0] != 0) {
    return name + ": row splits must start at 0, got " + std::to_string(splits[0]);
  }
  for (int64_t i = 1; i < count; ++i) {
    if (splits[i] < splits[i - 1]) {
      return name + ": row splits must not decrease, got " + std::to_string(splits[i - 1]) +
             " then " + std::to_string(splits[i]) + " at position " + std::to_string(i);
    }
  }
  if (splits[count - 1] != num_values) {
    return name + ": row splits must end at the number of values, " + std::to_string(num_values) +
           ", got " + std::to_string(splits[count - 1]);
  }
  return "";
}

std::string CheckSameRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                               const std::string& expected_name, const int64_t* expected,
                               int64_t expected_count) {
  if (count != expected_count) {
    return name + " must have as many rows as " + expected_name + ", " +
           std::to_string(expected_count - 1) + ", got " + std::to_string(count - 1);
  }
  const int64_t at = std::mismatch(splits, splits + count, expected).first - splits;
  if (at == count) return "";
  return name + " must have the row splits of " + expected_name + ", expected " +
         std::to_string(expected[at]) + " at position " + std::to_string(at) + ", got " +
         std::to_string(splits[at]);
}

std::string CheckClassIds(const std::string& name, const RaggedIds& ids, int64_t rows,
                          int64_t num_classes) {
  return CheckClassIds(
      name, ids.values, ids.splits[rows], {num_classes, "", ", the rows of weights"},
      [&](int64_t at) {
        const std::string row = " in row " + std::to_string(RowOf(ids, rows, at));
        if (ids.values[at] != -1) return row;
        return row + ": for a dense batch padded with -1 pass tf.RaggedTensor.from_tensor(" + name +
               ", padding=-1)";
      });
}

std::string CheckLabelLogQ(const float* log_q, const RaggedIds& ids, int64_t rows) {
  return CheckLogQ("label_log_q", log_q, ids, rows, kNeverDrawn, "");
}

std::string CheckCandidateLogQ(const float* log_q, const RaggedIds& ids, int64_t rows) {
  return CheckLogQ("candidate_log_q", log_q, ids, rows,
                   ", which no sampler can have drawn: candidates that are not drawn need no log q",
                   ": to mask a class leave it out of candidates, or set its bias to -inf");
}

std::string CheckNoEmptyRow(const std::string& name, const RaggedIds& ids, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    if (ids.size(i) == 0) {
      return name + " must hold at least one class in every row, got none in row " +
             std::to_string(i);
    }
  }
  return "";
}

}  // namespace candsamp
