// SPDX-License-Identifier: Apache-2.0
// The hot loops over rows and logits, compiled once for each instruction set into namespace
// CANDSAMP_ISA.
//
// This file uses nothing of the standard library that leaves a weak symbol: the linker would keep
// one copy for all instruction sets. Everything but the tables at the end is local to the file.
#include "cc/lib/rows/row_loops_isa.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <utility>

#include "cc/lib/core/float_math.h"
#include "cc/lib/core/half.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

constexpr int64_t kCacheLine = 64;

// Prefetches go to the second-level cache: the first-level cache can wait for fewer lines at a
// time.
constexpr int kSecondLevel = 2;

// The size of the widest register, and how many of them a loop uses at a time.
#if defined(__AVX512F__)
constexpr int64_t kVectorBytes = 64;
constexpr int64_t kUnroll = 4;
#elif defined(__AVX2__)
constexpr int64_t kVectorBytes = 32;
constexpr int64_t kUnroll = 8;
#else
constexpr int64_t kVectorBytes = 16;
constexpr int64_t kUnroll = 8;
#endif

template <typename A>
struct Lanes {
  static constexpr int64_t kCount = kVectorBytes / sizeof(A);
  typedef A Vector __attribute__((vector_size(kVectorBytes)));
};

template <typename A>
using Vector = typename Lanes<A>::Vector;

// Each Load equals Widen on every element, except that a NaN may become another NaN. The compiler
// does not find these forms by itself.
CANDSAMP_FORMULA void Load(const float* p, Vector<float>* v) { memcpy(v, p, sizeof *v); }
CANDSAMP_FORMULA void Load(const double* p, Vector<double>* v) { memcpy(v, p, sizeof *v); }
CANDSAMP_FORMULA void Load(const Bfloat16* p, Vector<float>* v) {
  typedef uint16_t Packed __attribute__((vector_size(kVectorBytes / 2)));
  typedef uint32_t Wide __attribute__((vector_size(kVectorBytes)));
  Packed packed;
  memcpy(&packed, p, sizeof packed);
  const Wide bits = __builtin_convertvector(packed, Wide) << 16;
  memcpy(v, &bits, sizeof *v);
}
CANDSAMP_FORMULA void Load(const Half* p, Vector<float>* v) {
#if defined(__AVX512F__)
  const __m512 wide =
      _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  const __m256 wide = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  float wide[Lanes<float>::kCount];
  for (int64_t k = 0; k < Lanes<float>::kCount; ++k) wide[k] = Widen(p[k]);
#endif
  memcpy(v, &wide, sizeof *v);
}

// Adds the upper half of the lanes to the lower half, until one lane is left.
template <typename A, int64_t kBytes>
struct HorizontalSum {
  typedef A Whole __attribute__((vector_size(kBytes)));
  typedef A Half __attribute__((vector_size(kBytes / 2)));

  template <int... kLanes>
  CANDSAMP_FORMULA A Of(const Whole& v, std::integer_sequence<int, kLanes...>) {
    constexpr int kHalf = sizeof...(kLanes);
    const Half low = __builtin_shufflevector(v, v, kLanes...);
    const Half high = __builtin_shufflevector(v, v, (kLanes + kHalf)...);
    if constexpr (kHalf == 2) {
      return (low + high)[0] + (low + high)[1];
    } else {
      return HorizontalSum<A, kBytes / 2>::Of(low + high,
                                              std::make_integer_sequence<int, kHalf / 2>());
    }
  }
};

template <typename A>
CANDSAMP_FORMULA A Sum(const Vector<A>& v) {
  if constexpr (Lanes<A>::kCount == 2) {
    return v[0] + v[1];
  } else {
    return HorizontalSum<A, kVectorBytes>::Of(
        v, std::make_integer_sequence<int, Lanes<A>::kCount / 2>());
  }
}

template <typename W>
CANDSAMP_FORMULA Accumulator<W> Dot(const W* row, const Accumulator<W>* x, int64_t depth,
                                    const W* next) {
  using A = Accumulator<W>;
  constexpr int64_t kLanes = Lanes<A>::kCount;
  Vector<A> sums[kUnroll] = {};
  int64_t d = 0;
  for (; d + kUnroll * kLanes <= depth; d += kUnroll * kLanes) {
    const char* ahead = reinterpret_cast<const char*>(next + d);
    for (int64_t byte = 0; byte < kUnroll * kLanes * int64_t{sizeof(W)}; byte += kCacheLine) {
      __builtin_prefetch(ahead + byte, 0, kSecondLevel);
    }
#pragma GCC unroll 8
    for (int64_t u = 0; u < kUnroll; ++u) {
      Vector<A> w, v;
      Load(row + d + u * kLanes, &w);
      Load(x + d + u * kLanes, &v);
      sums[u] += w * v;
    }
  }
  for (int64_t rest = d; rest < depth; rest += kCacheLine / int64_t{sizeof(W)}) {
    __builtin_prefetch(next + rest, 0, kSecondLevel);
  }
  for (; d + kLanes <= depth; d += kLanes) {
    Vector<A> w, v;
    Load(row + d, &w);
    Load(x + d, &v);
    sums[0] += w * v;
  }
  A tail = 0;
  for (; d < depth; ++d) tail += Widen(row[d]) * x[d];
#pragma GCC unroll 8
  for (int64_t width = kUnroll / 2; width > 0; width /= 2) {
    for (int64_t u = 0; u < width; ++u) sums[u] += sums[u + width];
  }
  return Sum<A>(sums[0]) + tail;
}

template <typename W>
void DotRows(const W* const* rows, int64_t count, int64_t available, const Accumulator<W>* x,
             int64_t depth, Accumulator<W>* out) {
  for (int64_t k = 0; k < count; ++k) {
    out[k] = Dot(rows[k], x, depth, rows[k + kRowsAhead < available ? k + kRowsAhead : k]);
  }
}

// Calls store(d, sum) where sum is initial(d) plus the weighted sum of the rows from column d on:
// first for several vectors at a time, then for one vector, then for single values.
template <typename R, typename Initial, typename InitialScalar, typename Store,
          typename StoreScalar>
CANDSAMP_FORMULA void WeightedColumns(const R* const* rows, const Accumulator<R>* coefficients,
                                      int64_t count, int64_t depth, Initial initial,
                                      InitialScalar initial_scalar, Store store,
                                      StoreScalar store_scalar) {
  using A = Accumulator<R>;
  constexpr int64_t kLanes = Lanes<A>::kCount;
  int64_t d = 0;
  for (; d + kUnroll * kLanes <= depth; d += kUnroll * kLanes) {
    Vector<A> sums[kUnroll];
#pragma GCC unroll 8
    for (int64_t u = 0; u < kUnroll; ++u) sums[u] = initial(d + u * kLanes);
    for (int64_t k = 0; k < count; ++k) {
#pragma GCC unroll 8
      for (int64_t u = 0; u < kUnroll; ++u) {
        Vector<A> r;
        Load(rows[k] + d + u * kLanes, &r);
        sums[u] += r * coefficients[k];
      }
    }
#pragma GCC unroll 8
    for (int64_t u = 0; u < kUnroll; ++u) store(d + u * kLanes, sums[u]);
  }
  for (; d + kLanes <= depth; d += kLanes) {
    Vector<A> sum = initial(d);
    for (int64_t k = 0; k < count; ++k) {
      Vector<A> r;
      Load(rows[k] + d, &r);
      sum += r * coefficients[k];
    }
    store(d, sum);
  }
  for (; d < depth; ++d) {
    A sum = initial_scalar(d);
    for (int64_t k = 0; k < count; ++k) sum += Widen(rows[k][d]) * coefficients[k];
    store_scalar(d, sum);
  }
}

template <typename W>
void AddWeighted(const W* const* rows, const Accumulator<W>* coefficients, int64_t count,
                 int64_t depth, Accumulator<W>* sum) {
  using A = Accumulator<W>;
  WeightedColumns(
      rows, coefficients, count, depth,
      [sum](int64_t d) {
        Vector<A> v;
        Load(sum + d, &v);
        return v;
      },
      [sum](int64_t d) { return sum[d]; },
      [sum](int64_t d, const Vector<A>& v) { memcpy(sum + d, &v, sizeof v); },
      [sum](int64_t d, A value) { sum[d] = value; });
}

template <typename W>
CANDSAMP_FORMULA void StoreNarrow(const Vector<Accumulator<W>>& v, W* out) {
  for (int64_t k = 0; k < Lanes<Accumulator<W>>::kCount; ++k) Narrow(v[k], &out[k]);
}

CANDSAMP_FORMULA void StoreNonTemporal(const __m128i& v, void* out) {
  _mm_stream_si128(static_cast<__m128i*>(out), v);
}
#ifdef __AVX2__
CANDSAMP_FORMULA void StoreNonTemporal(const __m256i& v, void* out) {
  _mm256_stream_si256(static_cast<__m256i*>(out), v);
}
#endif
#ifdef __AVX512F__
CANDSAMP_FORMULA void StoreNonTemporal(const __m512i& v, void* out) {
  _mm512_stream_si512(static_cast<__m512i*>(out), v);
}
#endif
CANDSAMP_FORMULA void StoreNonTemporal(int64_t v, void* out) {
  typedef long long MayAlias __attribute__((may_alias));
  _mm_stream_si64(static_cast<MayAlias*>(out), v);
}

// The integer or vector type of kBytes: one vector of accumulators, narrowed to the stored type.
template <size_t kBytes>
struct Packed;
template <>
struct Packed<8> {
  using type = int64_t;
};
template <>
struct Packed<16> {
  using type = __m128i;
};
#ifdef __AVX2__
template <>
struct Packed<32> {
  using type = __m256i;
};
#endif
#ifdef __AVX512F__
template <>
struct Packed<64> {
  using type = __m512i;
};
#endif

template <typename W>
using PackedVector = typename Packed<Lanes<Accumulator<W>>::kCount * sizeof(W)>::type;

template <typename W>
CANDSAMP_FORMULA void StoreNarrowNonTemporal(const Vector<Accumulator<W>>& v, W* out) {
  W values[Lanes<Accumulator<W>>::kCount];
  StoreNarrow(v, values);
  PackedVector<W> packed;
  memcpy(&packed, values, sizeof packed);
  StoreNonTemporal(packed, out);
}

template <typename W>
void WeightedSum(const Accumulator<W>* const* rows, const Accumulator<W>* coefficients,
                 int64_t count, int64_t depth, W* out) {
  using A = Accumulator<W>;
  WeightedColumns(
      rows, coefficients, count, depth, [](int64_t) { return Vector<A>{}; },
      [](int64_t) { return A(0); },
      [out](int64_t d, const Vector<A>& v) { StoreNarrow(v, out + d); },
      [out](int64_t d, A value) { Narrow(value, &out[d]); });
}

template <typename W>
void NonTemporalWeightedSum(const Accumulator<W>* const* rows, const Accumulator<W>* coefficients,
                            int64_t count, int64_t depth, W* out) {
  using A = Accumulator<W>;
  if (reinterpret_cast<uintptr_t>(out) % sizeof(PackedVector<W>) != 0) {
    return WeightedSum(rows, coefficients, count, depth, out);
  }
  WeightedColumns(
      rows, coefficients, count, depth, [](int64_t) { return Vector<A>{}; },
      [](int64_t) { return A(0); },
      [out](int64_t d, const Vector<A>& v) { StoreNarrowNonTemporal(v, out + d); },
      [out](int64_t d, A value) { Narrow(value, &out[d]); });
}

template <typename W>
void WidenAll(const W* in, int64_t count, Accumulator<W>* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = Widen(in[k]);
}

template <typename W>
void ScaleAndNarrow(const Accumulator<W>* in, Accumulator<W> factor, int64_t count, W* out) {
  for (int64_t k = 0; k < count; ++k) Narrow(in[k] * factor, &out[k]);
}

// Writes f(z[k], &term) to out[k] and returns the sum of the terms. It adds them lane by lane, in a
// fixed order. Minus infinity, whose term is 0, pads the last lanes.
//
// The compiler vectorises the loop over f where it is longer than what it would unroll, so several
// vectors are worked on together.
template <typename A, typename F>
CANDSAMP_FORMULA A MapAndSum(const A* z, int64_t count, A* out, F f) {
  constexpr int64_t kLanes = Lanes<A>::kCount, kTogether = 4 * kUnroll * kLanes;
  Vector<A> sums = {};
  A values[kTogether], terms[kTogether];
  for (int64_t k = 0; k < count; k += kTogether) {
    const int64_t here = count - k < kTogether ? count - k : kTogether;
    const int64_t padded = (here + kLanes - 1) / kLanes * kLanes;
    memcpy(values, z + k, here * sizeof(A));
    for (int64_t l = here; l < padded; ++l) values[l] = -__builtin_inff();
#pragma GCC ivdep
    for (int64_t l = 0; l < padded; ++l) {
      A term;
      values[l] = f(values[l], &term);
      terms[l] = term;
    }
    for (int64_t l = 0; l < padded; l += kLanes) {
      Vector<A> v;
      Load(terms + l, &v);
      sums += v;
    }
    memcpy(out + k, values, here * sizeof(A));
  }
  return Sum<A>(sums);
}

template <typename A>
A ExpMinus(const A* z, int64_t count, A max, A* out) {
  return MapAndSum(z, count, out,
                   [=](A logit, A* term) { return *term = ExpNonPositive(logit - max); });
}

template <typename A>
void ScaledExpMinus(const A* z, int64_t count, A max, A factor, A* out) {
  MapAndSum(z, count, out,
            [=](A logit, A* term) { return *term = factor * ExpNonPositive(logit - max); });
}

template <typename A>
A SigmoidSoftplus(const A* z, int64_t count, A* out) {
  return MapAndSum(z, count, out, [](A logit, A* term) {
    *term = Softplus(logit);
    return Sigmoid(logit);
  });
}

template <typename A>
A Largest(const A* z, int64_t count) {
  constexpr int64_t kLanes = Lanes<A>::kCount;
  Vector<A> largest = Vector<A>{} - __builtin_inff();
  int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    Vector<A> x;
    Load(z + k, &x);
    largest = x > largest ? x : largest;
  }
  A max = -__builtin_inff();
  for (int64_t l = 0; l < kLanes; ++l) max = largest[l] > max ? largest[l] : max;
  for (; k < count; ++k) max = z[k] > max ? z[k] : max;
  return max;
}

template <typename A>
void ScaleAndAdd(const A* in, A factor, int64_t count, A* out, A* sums) {
  for (int64_t k = 0; k < count; ++k) {
    const A scaled = factor * in[k];
    out[k] = scaled;
    sums[k] += scaled;
  }
}

template <typename W>
constexpr RowLoops<W> MakeRowLoops() {
  return {DotRows<W>,  AddWeighted<W>,   WeightedSum<W>, NonTemporalWeightedSum<W>,
          WidenAll<W>, ScaleAndNarrow<W>};
}

template <typename A>
constexpr LogitLoops<A> MakeLogitLoops() {
  return {ExpMinus<A>, ScaledExpMinus<A>, SigmoidSoftplus<A>, Largest<A>, ScaleAndAdd<A>};
}

}  // namespace

extern const RowLoops<float> kFloatRows = MakeRowLoops<float>();
extern const RowLoops<double> kDoubleRows = MakeRowLoops<double>();
extern const RowLoops<Bfloat16> kBfloat16Rows = MakeRowLoops<Bfloat16>();
extern const RowLoops<Half> kHalfRows = MakeRowLoops<Half>();
extern const LogitLoops<float> kFloatLogits = MakeLogitLoops<float>();
extern const LogitLoops<double> kDoubleLogits = MakeLogitLoops<double>();

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
