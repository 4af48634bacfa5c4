// SPDX-License-Identifier: Apache-2.0
// Gathers the rows of classes.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_GATHER_ROWS_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_GATHER_ROWS_H_

#include "cc/cuda/core/team.h"
#include "cc/cuda/rows/row_table.h"

namespace candsamp {

// REQUIRES: kPack divides the depth, and rows are aligned to it.
template <typename W, int kPack>
struct GatherRowsKernel {
  static constexpr int kBatch = 4;  // packs on their way at a time

  DeviceRowTable<W> table;
  const int64_t* ids;
  int64_t most;
  const int64_t* counted;  // in the device's memory, how many there are; nullptr: `most`
  W* out;                  // [count, depth]; zeros for ids without a row

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t depth = table.depth;
    const int64_t count = counted == nullptr ? most : Least(*counted, most);
    for (int64_t k = GridLaneGroup(block); k < count; k += GridLaneGroups(block)) {
      const W* const row = table.Row(ids[k]);
      const int64_t apart = block.lanes() * kPack;
      for (int64_t first = block.lane() * kPack; first < depth; first += kBatch * apart) {
        Pack<W, kPack> packs[kBatch];
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          const int64_t d = first + j * apart;
          packs[j] =
              row == nullptr || d >= depth ? Pack<W, kPack>{} : Pack<W, kPack>::Load(row + d);
        }
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          const int64_t d = first + j * apart;
          if (d < depth) packs[j].Store(out + k * depth + d);
        }
      }
    }
  }
};

// Whether all rows of a table may be read in packs, of 16 bytes unless the caller says. Shards of
// TensorFlow's are aligned to more than that.
template <typename W, int kSize = kPackOf<W>>
bool RowsInPacks(const DeviceRowTable<W>& table) {
  return table.num_shards == 1 ? InPacks<kSize>(table.whole, table.depth)
                               : table.depth % kSize == 0;
}

// The rows of ids[*counted], at most `most`, where the host does not know yet how many those are.
template <typename W, typename Launcher>
void GatherCountedRows(Launcher& launcher, const DeviceRowTable<W>& table, const int64_t* ids,
                       int64_t most, const int64_t* counted, W* out) {
  if (RowsInPacks(table) && InPacks<kPackOf<W>>(out, table.depth)) {
    launcher.ForEachLaneGroup(most,
                              GatherRowsKernel<W, kPackOf<W>>{table, ids, most, counted, out});
  } else {
    launcher.ForEachLaneGroup(most, GatherRowsKernel<W, 1>{table, ids, most, counted, out});
  }
}

template <typename W, typename Launcher>
void GatherRows(Launcher& launcher, const DeviceRowTable<W>& table, const int64_t* ids,
                int64_t count, W* out) {
  GatherCountedRows(launcher, table, ids, count, nullptr, out);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_GATHER_ROWS_H_
