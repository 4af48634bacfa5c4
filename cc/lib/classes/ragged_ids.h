// SPDX-License-Identifier: Apache-2.0
// A ragged batch: the labels and the candidates of each row, and checks of them.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_RAGGED_IDS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_RAGGED_IDS_H_

#include <cstdint>
#include <string>

namespace candsamp {

// Row i has the ids [splits[i], splits[i + 1]) of values.
struct RaggedIds {
  const int64_t* values;
  const int64_t* splits;  // [rows + 1]

  int64_t begin(int64_t row) const { return splits[row]; }
  int64_t end(int64_t row) const { return splits[row + 1]; }
  int64_t size(int64_t row) const { return splits[row + 1] - splits[row]; }
};

struct RaggedBatch {
  int64_t rows;
  RaggedIds labels;
  RaggedIds candidates;
  const float* label_log_q;      // one for each label; nullptr: all zero
  const float* candidate_log_q;  // one for each candidate; nullptr: all zero

  int64_t num_labels() const { return labels.splits[rows]; }
  int64_t num_candidates() const { return candidates.splits[rows]; }
};

// Each check returns an empty string, or a sentence that names the argument `name`, what was got
// and what was expected.

// splits must be 0 = splits[0] <= splits[1] <= ... <= splits[count - 1] = num_values, count >= 1.
std::string CheckRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                           int64_t num_values);

// splits[0 .. count) and expected[0 .. expected_count) must be equal.
std::string CheckSameRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                               const std::string& expected_name, const int64_t* expected,
                               int64_t expected_count);

// Every id must be in [0, num_classes). REQUIRES: valid splits.
std::string CheckClassIds(const std::string& name, const RaggedIds& ids, int64_t rows,
                          int64_t num_classes);

// The log_q of labels or of candidates, one for each of `ids`, must be finite. nullptr passes.
// REQUIRES: valid splits.
std::string CheckLabelLogQ(const float* log_q, const RaggedIds& ids, int64_t rows);
std::string CheckCandidateLogQ(const float* log_q, const RaggedIds& ids, int64_t rows);

// No row may be empty. REQUIRES: valid splits.
std::string CheckNoEmptyRow(const std::string& name, const RaggedIds& ids, int64_t rows);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_RAGGED_IDS_H_
