// SPDX-License-Identifier: Apache-2.0
// From expected counts to what is subtracted from logits, and to the offsets of candidates. A count
// that is not positive and finite makes NaN of the losses that it enters: a kernel does not wait to
// say more.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_EXPECTED_COUNTS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_EXPECTED_COUNTS_H_

#include <float.h>
#include <math.h>

#include "cc/cuda/core/team.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/lib/logits/offsets.h"

namespace candsamp {

// The expected counts of classes [size / columns, columns], by strides that are 0 along a broadcast
// dimension.
template <typename A>
struct DeviceCounts {
  const A* counts;
  int64_t strides[2];
  int64_t columns, size;

  CANDSAMP_METHOD A Log(int64_t k) const {
    const A count = counts[k / columns * strides[0] + k % columns * strides[1]];
    constexpr A kLeast = sizeof(A) == 8 ? A(DBL_MIN) : A(FLT_MIN);
    constexpr A kMost = sizeof(A) == 8 ? A(DBL_MAX) : A(FLT_MAX);
    return count >= kLeast && count <= kMost ? log(count) : A(NAN);
  }
};

template <typename A>
struct LogCountsKernel {
  DeviceCounts<A> counts;
  A* logs;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < counts.size; k += GridSize(block)) {
      logs[k] = counts.Log(k);
    }
  }
};

template <typename W>
struct DeviceOffsets {
  using A = Accumulator<W>;

  DeviceCounts<A> counts;     // of the candidates
  const int64_t* candidates;  // [counts.size]
  DeviceRowTable<W> biases;
  A* offsets;               // [counts.size]
  A* biases_under_softcap;  // likewise, or nullptr: there is no softcap
};

template <typename W>
struct OffsetsKernel {
  DeviceOffsets<W> o;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < o.counts.size; k += GridSize(block)) {
      const Accumulator<W> bias = BiasOf(o.biases, o.candidates[k]), log_q = o.counts.Log(k);
      if (o.biases_under_softcap == nullptr) {
        o.offsets[k] = OffsetOf(bias, log_q);
      } else {
        o.offsets[k] = OffsetOverSoftcap(bias, log_q);
        o.biases_under_softcap[k] = BiasUnderSoftcap(bias);
      }
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_EXPECTED_COUNTS_H_
