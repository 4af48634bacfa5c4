// SPDX-License-Identifier: Apache-2.0
// A class table in a device's memory: the twin of cc/lib/rows/row_table.h.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_ROW_TABLE_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_ROW_TABLE_H_

#include "cc/cuda/core/device.h"
#include "cc/lib/core/half.h"

namespace candsamp {

// A kernel does not wait for a check of ids. As TensorFlow's gather on a GPU has it, an id without
// a row has a row of zeros.
template <typename W>
struct DeviceRowTable {
  int64_t depth;
  int64_t ids;     // how many ids, counted from 0, have a row
  const W* whole;  // the rows, if there is one shard

  // If there are several: where each begins and the number of rows before it, in the device's
  // memory, and whether rows are dealt out in turn.
  int64_t num_shards;
  const W* const* shards;
  const int64_t* first_row;
  bool in_turn;

  CANDSAMP_METHOD bool empty() const { return num_shards == 0; }

  // nullptr for an id without a row.
  CANDSAMP_METHOD const W* Row(int64_t id) const {
    if (id < 0 || id >= ids) return nullptr;
    if (num_shards == 1) return whole + id * depth;
    if (in_turn) return shards[id % num_shards] + id / num_shards * depth;
    int64_t low = 0, high = num_shards;  // first_row[low] <= id < first_row[high]
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (first_row[middle] <= id ? low : high) = middle;
    }
    return shards[low] + (id - first_row[low]) * depth;
  }
};

// The bias of a class: 0 where there are none.
template <typename W>
CANDSAMP_FORMULA Accumulator<W> BiasOf(const DeviceRowTable<W>& biases, int64_t id) {
  const W* bias = biases.empty() ? nullptr : biases.Row(id);
  return bias == nullptr ? Accumulator<W>(0) : Widen(*bias);
}

// A table of one shard. It is empty, as that of absent biases, where `rows` is nullptr.
template <typename W>
DeviceRowTable<W> OneShard(const W* rows, int64_t count, int64_t depth) {
  return {depth, rows == nullptr ? 0 : count, rows, rows == nullptr ? 0 : 1, nullptr, nullptr,
          false};
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_ROW_TABLE_H_
