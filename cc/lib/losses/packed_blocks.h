// SPDX-License-Identifier: Apache-2.0
// Scratch memory for packed blocks of matrices.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"

namespace candsamp {

// Room for `count` packed blocks (MatrixLoops) of at most `size` values each.
template <typename A>
class PackedBlocks {
 public:
  PackedBlocks(Runtime& runtime, int64_t count, int64_t size)
      : size_((size + kLine - 1) / kLine * kLine), values_(runtime.Allocate<A>(count * size_)) {}

  A* operator[](int64_t b) const { return values_ + b * size_; }

 private:
  static constexpr int64_t kLine = 64 / sizeof(A);  // each block begins at a cache line
  int64_t size_;
  A* values_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_PACKED_BLOCKS_H_
