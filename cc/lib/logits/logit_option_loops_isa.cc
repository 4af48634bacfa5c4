// SPDX-License-Identifier: Apache-2.0
// The loops that options of logits need, compiled once for each instruction set into namespace
// CANDSAMP_ISA. See row_loops_isa.cc for what such a file may use.
#include "cc/lib/logits/logit_option_loops_isa.h"

#include <stdint.h>

#include "cc/lib/core/half.h"
#include "cc/lib/logits/softcap.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

// Sums in this many lanes, so that the loop vectorises.
constexpr int64_t kLanes = 32;

template <typename W>
Accumulator<W> Squares(const W* row, int64_t depth) {
  using A = Accumulator<W>;
  A sums[kLanes] = {};
  int64_t d = 0;
  for (; d + kLanes <= depth; d += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) sums[l] += Widen(row[d + l]) * Widen(row[d + l]);
  }
  A sum = 0;
  for (; d < depth; ++d) sum += Widen(row[d]) * Widen(row[d]);
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0] + sum;
}

template <typename W>
void Scale(const W* row, Accumulator<W> factor, int64_t depth, Accumulator<W>* out) {
  for (int64_t d = 0; d < depth; ++d) out[d] = factor * Widen(row[d]);
}

template <typename W>
void Project(const Accumulator<W>* gradient, const W* row, Accumulator<W> coefficient,
             Accumulator<W> factor, int64_t depth, W* out) {
  for (int64_t d = 0; d < depth; ++d) {
    Narrow(factor * (gradient[d] - coefficient * Widen(row[d])), &out[d]);
  }
}

template <typename A>
void SoftcapWithSlopes(A* z, const A* shifts, int64_t count, A cap, A* slopes) {
  for (int64_t k = 0; k < count; ++k) z[k] = Softcap(z[k], cap, &slopes[k]) + shifts[k];
}

template <typename A>
void Multiply(const A* factors, int64_t count, A* out) {
  for (int64_t k = 0; k < count; ++k) out[k] *= factors[k];
}

template <typename W>
constexpr UnitLoops<W> MakeUnitLoops() {
  return {Squares<W>, Scale<W>, Project<W>};
}

template <typename A>
constexpr SoftcapLoops<A> MakeSoftcapLoops() {
  return {SoftcapWithSlopes<A>, Multiply<A>};
}

}  // namespace

extern const UnitLoops<float> kFloatUnits = MakeUnitLoops<float>();
extern const UnitLoops<double> kDoubleUnits = MakeUnitLoops<double>();
extern const UnitLoops<Bfloat16> kBfloat16Units = MakeUnitLoops<Bfloat16>();
extern const UnitLoops<Half> kHalfUnits = MakeUnitLoops<Half>();
extern const SoftcapLoops<float> kFloatSoftcaps = MakeSoftcapLoops<float>();
extern const SoftcapLoops<double> kDoubleSoftcaps = MakeSoftcapLoops<double>();

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
