// SPDX-License-Identifier: Apache-2.0
// A ragged batch in a device's memory, and how its rows are cut.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_ROWS_H_

#include "cc/cuda/core/team.h"

namespace candsamp {

// The classes of a row, its labels and then its candidates, are cut into chunks of so many: a lane
// group has one at a time, whatever the lengths of rows.
constexpr int64_t kChunk = 32;

struct DeviceRaggedBatch {
  int64_t rows, num_labels, num_candidates;
  const int64_t* labels;            // [num_labels]
  const int64_t* candidates;        // [num_candidates]
  const int64_t* label_splits;      // [rows + 1]
  const int64_t* candidate_splits;  // likewise
  const int64_t* first_chunks;      // [rows + 1], the chunks before each row
  int64_t num_chunks;               // first_chunks[rows]

  CANDSAMP_METHOD int64_t Labels(int64_t row) const {
    return label_splits[row + 1] - label_splits[row];
  }
  CANDSAMP_METHOD int64_t Classes(int64_t row) const {
    return Labels(row) + candidate_splits[row + 1] - candidate_splits[row];
  }
};

// How many chunks a row of so many classes has: at least one, whose block writes the row's results.
inline int64_t ChunksOf(int64_t classes) {
  return classes <= kChunk ? 1 : (classes + kChunk - 1) / kChunk;
}

// The last range of sorted splits that begins at or before a position: the row of it, where splits
// are row splits. REQUIRES: count >= 1; splits[0] <= position < splits[count].
CANDSAMP_FORMULA int64_t RowAt(const int64_t* splits, int64_t count, int64_t position) {
  int64_t low = 0, high = count;  // splits[low] <= position < splits[high]
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (splits[middle] <= position ? low : high) = middle;
  }
  return low;
}

// Writes the row of each chunk.
struct RowsOfChunksKernel {
  DeviceRaggedBatch batch;
  int64_t* rows;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t c = GridRank(block); c < batch.num_chunks; c += GridSize(block)) {
      rows[c] = RowAt(batch.first_chunks, batch.rows, c);
    }
  }
};

// Writes the row of each candidate.
struct RowsOfCandidatesKernel {
  DeviceRaggedBatch batch;
  int64_t* rows;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < batch.num_candidates; k += GridSize(block)) {
      rows[k] = RowAt(batch.candidate_splits, batch.rows, k);
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_ROWS_H_
