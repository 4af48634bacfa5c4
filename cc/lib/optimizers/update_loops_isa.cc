// SPDX-License-Identifier: Apache-2.0
// The loops over the rows of an update, compiled once for each instruction set into namespace
// CANDSAMP_ISA.
//
// This file uses nothing of the standard library that leaves a weak symbol: the linker would keep
// one copy for all instruction sets. Everything but the tables at the end is local to the file.
#include "cc/lib/optimizers/update_loops_isa.h"

#include <stdint.h>

#include "cc/lib/core/half.h"
#include "cc/lib/optimizers/row_formulas.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

constexpr int64_t kCacheLine = 64;

// How many bytes of table and slots are on their way into the caches at a time, and at most how
// many rows: enough to hide the memory's latency, few enough to stay in the first-level cache.
constexpr int64_t kBytesAhead = 8192;
constexpr int64_t kMostRowsAhead = 16;

// Fetches a row that will be written. Of a long row it fetches the beginning, and the hardware
// prefetcher goes on from there.
template <typename T>
CANDSAMP_FORMULA void FetchToWrite(const T* row, int64_t depth) {
  constexpr int64_t kMostBytes = 1024;
  // GCC takes a function that only fetches for one without effect, and drops the calls of it.
  __asm__ volatile("");
  const uintptr_t first = reinterpret_cast<uintptr_t>(row) & ~uintptr_t{kCacheLine - 1};
  const int64_t size = depth * static_cast<int64_t>(sizeof(T));
  const uintptr_t end = reinterpret_cast<uintptr_t>(row) +
                        static_cast<uintptr_t>(size < kMostBytes ? size : kMostBytes);
  for (uintptr_t at = first; at < end; at += kCacheLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(at), 1, 3);
  }
}

template <typename W, typename Formula>
CANDSAMP_FORMULA void UpdateRow(const Formula& formula, const Accumulator<W>* __restrict gradient,
                                int64_t depth, W* __restrict value,
                                Accumulator<W>* __restrict slot0, Accumulator<W>* __restrict slot1,
                                Accumulator<W>* __restrict slot2) {
  using A = Accumulator<W>;
  constexpr int kSlots = Formula::kSlots;
  for (int64_t d = 0; d < depth; ++d) {
    A v = Widen(value[d]);
    A s[kMostSlots];
    if constexpr (kSlots > 0) s[0] = slot0[d];
    if constexpr (kSlots > 1) s[1] = slot1[d];
    if constexpr (kSlots > 2) s[2] = slot2[d];
    formula.Update(gradient[d], &v, s);
    Narrow(v, &value[d]);
    if constexpr (kSlots > 0) slot0[d] = s[0];
    if constexpr (kSlots > 1) slot1[d] = s[1];
    if constexpr (kSlots > 2) slot2[d] = s[2];
  }
}

template <typename W, typename Formula>
void Update(const Formula& formula_in_memory, const RowsToUpdate<W>& rows, int64_t begin,
            int64_t end) {
  constexpr int kSlots = Formula::kSlots;
  using A = Accumulator<W>;
  // A copy, which no store can be thought to change.
  const Formula formula = formula_in_memory;
  const int64_t depth = rows.depth;
  const int64_t* const ids = rows.ids;
  const int64_t bytes = depth * static_cast<int64_t>(sizeof(W) + kSlots * sizeof(A));
  const int64_t fitting = kBytesAhead / (bytes > 0 ? bytes : 1);
  const int64_t ahead = fitting < 1 ? 1 : fitting < kMostRowsAhead ? fitting : kMostRowsAhead;
  const auto fetch = [&](int64_t k) {
    const int64_t at = ids[k] * depth;
    FetchToWrite(rows.table + at, depth);
    for (int s = 0; s < kSlots; ++s) FetchToWrite(rows.slots[s] + at, depth);
  };
  for (int64_t k = begin; k < end && k < begin + ahead; ++k) fetch(k);
  for (int64_t k = begin; k < end; ++k) {
    if (k + ahead < end) fetch(k + ahead);
    const int64_t at = ids[k] * depth;
    UpdateRow(formula, rows.Gradient(k), depth, rows.table + at,
              kSlots > 0 ? rows.slots[0] + at : nullptr, kSlots > 1 ? rows.slots[1] + at : nullptr,
              kSlots > 2 ? rows.slots[2] + at : nullptr);
  }
}

template <typename W, typename... Formulas>
struct Made {
  static constexpr LoopsOf<W, Formulas...> kLoops = {{Update<W, Formulas>}...};
};

}  // namespace

extern const UpdateLoops<float> kFloatUpdates = WithEachFormula<Made, float>::kLoops;
extern const UpdateLoops<double> kDoubleUpdates = WithEachFormula<Made, double>::kLoops;
extern const UpdateLoops<Bfloat16> kBfloat16Updates = WithEachFormula<Made, Bfloat16>::kLoops;
extern const UpdateLoops<Half> kHalfUpdates = WithEachFormula<Made, Half>::kLoops;

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
