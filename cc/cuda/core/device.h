// SPDX-License-Identifier: Apache-2.0
// Atomic operations and small functions of device code. They also compile for the host, where tests
// run device code on threads.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_DEVICE_H_
#define TF_CANDSAMP_CC_CUDA_CORE_DEVICE_H_

#include <stdint.h>

#include "cc/lib/core/host_device.h"

#ifdef __CUDACC__
#define CANDSAMP_DEVICE __device__
#define CANDSAMP_UNROLL _Pragma("unroll")
#else
#define CANDSAMP_DEVICE
#define CANDSAMP_UNROLL
#endif

namespace candsamp {

// Atomic operations on memory that several threads use between two barriers. They order no other
// memory access: barriers do that.
CANDSAMP_DEVICE inline uint64_t AtomicAdd(uint64_t* at, uint64_t value) {
#ifdef __CUDA_ARCH__
  return atomicAdd(reinterpret_cast<unsigned long long*>(at), value);
#else
  return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
#endif
}

// Writes `value` over `expected`, if that is there. Returns the old value.
CANDSAMP_DEVICE inline uint64_t AtomicReplace(uint64_t* at, uint64_t expected, uint64_t value) {
#ifdef __CUDA_ARCH__
  return atomicCAS(reinterpret_cast<unsigned long long*>(at), expected, value);
#else
  __atomic_compare_exchange_n(at, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
#endif
}

CANDSAMP_DEVICE inline uint64_t AtomicLoad(const uint64_t* at) {
#ifdef __CUDA_ARCH__
  return *static_cast<const volatile uint64_t*>(at);
#else
  return __atomic_load_n(at, __ATOMIC_RELAXED);
#endif
}

#ifndef __CUDA_ARCH__
// Writes `value` if replaces(value, old value).
template <typename Replaces>
CANDSAMP_DEVICE void AtomicReplaceIf(uint64_t* at, uint64_t value, Replaces replaces) {
  uint64_t expected = AtomicLoad(at);
  while (replaces(value, expected)) {
    const uint64_t found = AtomicReplace(at, expected, value);
    if (found == expected) return;
    expected = found;
  }
}
#endif

template <typename T>  // of 4 or 8 bytes
CANDSAMP_DEVICE void AtomicStore(T* at, T value) {
#ifdef __CUDA_ARCH__
  *static_cast<volatile T*>(at) = value;
#else
  __atomic_store_n(at, value, __ATOMIC_RELAXED);
#endif
}
CANDSAMP_DEVICE inline void AtomicMin(uint64_t* at, uint64_t value) {
#ifdef __CUDA_ARCH__
  atomicMin(reinterpret_cast<unsigned long long*>(at), value);
#else
  AtomicReplaceIf(at, value, [](uint64_t a, uint64_t b) { return a < b; });
#endif
}

CANDSAMP_DEVICE inline void AtomicMax(uint64_t* at, uint64_t value) {
#ifdef __CUDA_ARCH__
  atomicMax(reinterpret_cast<unsigned long long*>(at), value);
#else
  AtomicReplaceIf(at, value, [](uint64_t a, uint64_t b) { return a > b; });
#endif
}

CANDSAMP_FORMULA int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }
CANDSAMP_FORMULA int64_t Most(int64_t a, int64_t b) { return a > b ? a : b; }

// a * b + c, rounded once: a GPU's own instruction, which no compiler flag makes of a sum.
CANDSAMP_FORMULA float MulAdd(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
CANDSAMP_FORMULA double MulAdd(double a, double b, double c) { return __builtin_fma(a, b, c); }

// kSize consecutive values that are read and written at once. REQUIRES: their address is a multiple
// of their size, up to 16 bytes.
template <typename T, int kSize>
struct alignas(kSize * sizeof(T) < 16 ? kSize * sizeof(T) : 16) Pack {
  T values[kSize];

  static CANDSAMP_METHOD Pack Load(const T* from) { return *reinterpret_cast<const Pack*>(from); }
  CANDSAMP_METHOD void Store(T* to) const { *reinterpret_cast<Pack*>(to) = *this; }
};

// How many values of type T have 16 bytes.
template <typename T>
constexpr int kPackOf = 16 / static_cast<int>(sizeof(T));

// Whether rows of `depth` values that begin at `rows` may be read in packs of kSize.
template <int kSize, typename T>
bool InPacks(const T* rows, int64_t depth) {
  return depth % kSize == 0 && reinterpret_cast<uintptr_t>(rows) % (kSize * sizeof(T)) == 0;
}

// The position of the first sorted value that is not less than `value`.
CANDSAMP_FORMULA int64_t LowerBound(const int64_t* sorted, int64_t count, int64_t value) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (sorted[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_DEVICE_H_
