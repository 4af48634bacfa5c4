// SPDX-License-Identifier: Apache-2.0
// Matrix products of values rounded to bfloat16, with float sums: compiled for AVX512-BF16 and for
// AMX into namespace CANDSAMP_ISA.
//
// Both instruction sets take k in pairs: a word of 32 bits holds the values of k and k + 1. Eigen
// has no such products, and oneDNN's library is larger than the rest of TensorFlow that we need. A
// packing and a loop do.
//
// A packed right block is panels of kPanel columns: pair after pair, kPanel words each. A packed
// left block is panels of kRows rows: for AVX512-BF16 pair after pair, kRows words each; for AMX
// tiles of kRows rows of 16 pairs. Partial panels and tiles are padded with zeros.
#include "cc/lib/matrix/bfloat16_matrices_isa.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cc/lib/core/host_device.h"

namespace candsamp {
namespace CANDSAMP_ISA {
namespace {

constexpr int64_t kLanes = 16;
#ifdef __AMX_BF16__
constexpr bool kTiles = true;
constexpr int64_t kRows = 16;
constexpr int64_t kVectors = 1;  // in a panel of columns
#else
constexpr bool kTiles = false;
constexpr int64_t kRows = 8;
constexpr int64_t kVectors = 3;
#endif
constexpr int64_t kPanel = kVectors * kLanes;

CANDSAMP_FORMULA int64_t RoundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }
CANDSAMP_FORMULA int64_t Least(int64_t a, int64_t b) { return a < b ? a : b; }

// The pairs of a depth of k, padded to whole tiles.
CANDSAMP_FORMULA int64_t Pairs(int64_t k) { return RoundUp(k, kTiles ? 2 * kLanes : 2) / 2; }

CANDSAMP_FORMULA __mmask16 FirstLanes(int64_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffff : (1 << (count < 0 ? 0 : count)) - 1);
}

// Words with the bfloat16 of `low` in the lower half and that of `high` in the upper half.
CANDSAMP_FORMULA __m512i Words(__m512 low, __m512 high) {
  const __m512i lows = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
  const __m512i highs = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
  return _mm512_or_si512(lows, _mm512_slli_epi32(highs, 16));
}

// The words of the pairs [pair, pair + 16) of a row of k values, zero beyond the row.
CANDSAMP_FORMULA __m512i WordsOfRow(const float* row, int64_t pair, int64_t k) {
  const int64_t left = k - 2 * pair;
  const __m512 first = _mm512_maskz_loadu_ps(FirstLanes(left), row + 2 * pair);
  const __m512 second = _mm512_maskz_loadu_ps(FirstLanes(left - kLanes), row + 2 * pair + kLanes);
  return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}

// The words of one pair for the columns [column, column + 16) of a matrix [k, n].
CANDSAMP_FORMULA __m512i WordsOfColumns(const float* matrix, int64_t stride, int64_t pair,
                                        int64_t k, int64_t column, int64_t n) {
  const __mmask16 mask = FirstLanes(n - column);
  const float* row = matrix + 2 * pair * stride + column;
  const __m512 low = _mm512_maskz_loadu_ps(2 * pair < k ? mask : 0, row);
  const __m512 high = _mm512_maskz_loadu_ps(2 * pair + 1 < k ? mask : 0, row + stride);
  return Words(low, high);
}

// Packs the columns of a matrix [k, n], or the rows of its transpose [n, k], into panels of `panel`
// columns, pair after pair.
CANDSAMP_FORMULA void PackPanels(const float* matrix, int64_t stride, bool by_columns, int64_t k,
                                 int64_t n, int64_t panel, int32_t* packed) {
  const int64_t pairs = Pairs(k);
  for (int64_t first = 0; first < n; first += panel, packed += pairs * panel) {
    if (by_columns) {
      for (int64_t pair = 0; pair < pairs; ++pair) {
        for (int64_t at = 0; at < panel; at += kLanes) {
          _mm512_mask_storeu_epi32(packed + pair * panel + at, FirstLanes(panel - at),
                                   WordsOfColumns(matrix, stride, pair, k, first + at, n));
        }
      }
      continue;
    }
    const __m512i places =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32(static_cast<int>(panel)));
    for (int64_t at = 0; at < panel; ++at) {
      const int64_t length = first + at < n ? k : 0;
      const float* row = matrix + (first + at < n ? first + at : 0) * stride;
      for (int64_t pair = 0; pair < pairs; pair += kLanes) {
        _mm512_mask_i32scatter_epi32(
            packed + pair * panel + at, FirstLanes(pairs - pair), places,
            WordsOfRow(row, length > 2 * pair ? pair : 0, length > 2 * pair ? length : 0), 4);
      }
    }
  }
}

int64_t LeftSize(int64_t m, int64_t k) { return RoundUp(m, kRows) * Pairs(k); }
int64_t RightSize(int64_t k, int64_t n) { return RoundUp(n, kPanel) * Pairs(k); }

void PackRight(const float* right, int64_t stride, Layout layout, int64_t k, int64_t n,
               float* packed) {
  PackPanels(right, stride, layout == Layout::kRows, k, n, kPanel,
             reinterpret_cast<int32_t*>(packed));
}

#ifdef __AMX_BF16__

// Tiles of kRows rows by 16 pairs, tile after tile along k.
void PackLeft(const float* left, int64_t stride, Layout layout, int64_t m, int64_t k,
              float* packed) {
  int32_t* out = reinterpret_cast<int32_t*>(packed);
  const int64_t pairs = Pairs(k);
  const __m512i places =
      _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                         _mm512_set1_epi32(kLanes));
  for (int64_t first = 0; first < m; first += kRows) {
    for (int64_t pair = 0; pair < pairs; pair += kLanes, out += kRows * kLanes) {
      for (int64_t at = 0; at < kRows; ++at) {
        if (layout == Layout::kTransposed) {
          _mm512_i32scatter_epi32(out + at, places,
                                  WordsOfColumns(left, stride, pair + at, k, first, m), 4);
        } else {
          const bool given = first + at < m;
          _mm512_storeu_si512(out + at * kLanes,
                              WordsOfRow(given ? left + (first + at) * stride : left,
                                         given ? pair : 0, given ? k : 0));
        }
      }
    }
  }
}

struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16];
  uint8_t rows[16];
  TileShapes() {
    for (int t = 0; t < 16; ++t) {
      bytes[t] = t < 8 ? 64 : 0;
      rows[t] = t < 8 ? 16 : 0;
    }
  }
};

// Tiles 0 to 3 hold a block of c, 4 and 5 rows of left, 6 and 7 columns of right.
void MultiplyAdd(const float* left, const float* right, int64_t m, int64_t k, int64_t n, float* c,
                 int64_t stride) {
  constexpr int64_t kTile = kRows * kLanes;
  const int64_t pairs = Pairs(k), tiles = pairs / kLanes;
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  alignas(64) float sums[4][kTile];
  for (int64_t j = 0; j < n; j += 2 * kLanes) {
    for (int64_t i = 0; i < m; i += 2 * kRows) {
      // A block at the edge reads its first panel twice, and drops the second result.
      const float* a0 = left + i * pairs;
      const float* a1 = i + kRows < m ? a0 + kRows * pairs : a0;
      const float* b0 = right + j * pairs;
      const float* b1 = j + kLanes < n ? b0 + kLanes * pairs : b0;
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (int64_t t = 0; t < tiles; ++t) {
        _tile_loadd(4, a0 + t * kTile, 64);
        _tile_loadd(5, a1 + t * kTile, 64);
        _tile_loadd(6, b0 + t * kTile, 64);
        _tile_loadd(7, b1 + t * kTile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, sums[0], 64);
      _tile_stored(1, sums[1], 64);
      _tile_stored(2, sums[2], 64);
      _tile_stored(3, sums[3], 64);
      for (int64_t r = 0; r < Least(2 * kRows, m - i); ++r) {
        for (int64_t v = 0; v < 2; ++v) {
          const __mmask16 mask = FirstLanes(n - j - v * kLanes);
          float* out = c + (i + r) * stride + j + v * kLanes;
          const float* sum = sums[2 * (r / kRows) + v] + r % kRows * kLanes;
          _mm512_mask_storeu_ps(out, mask, _mm512_maskz_loadu_ps(mask, out) + _mm512_load_ps(sum));
        }
      }
    }
  }
  _tile_release();
}

#else

void PackLeft(const float* left, int64_t stride, Layout layout, int64_t m, int64_t k,
              float* packed) {
  PackPanels(left, stride, layout == Layout::kTransposed, k, m, kRows,
             reinterpret_cast<int32_t*>(packed));
}

// c[rows, columns] += a panel of left times a panel of right.
CANDSAMP_FORMULA void MultiplyPanels(const float* left, const float* right, int64_t rows,
                                     int64_t pairs, int64_t columns, float* c, int64_t stride) {
  __m512 sums[kRows][kVectors] = {};
  for (int64_t pair = 0; pair < pairs; ++pair, left += kRows, right += kPanel) {
    __m512bh columns_of_pair[kVectors];
#pragma GCC unroll 3
    for (int64_t v = 0; v < kVectors; ++v) {
      columns_of_pair[v] = (__m512bh)_mm512_loadu_si512(right + v * kLanes);
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      int32_t word;
      memcpy(&word, left + r, sizeof word);
      const __m512bh row = (__m512bh)_mm512_set1_epi32(word);
#pragma GCC unroll 3
      for (int64_t v = 0; v < kVectors; ++v) {
        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], row, columns_of_pair[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    if (r >= rows) break;
#pragma GCC unroll 3
    for (int64_t v = 0; v < kVectors; ++v) {
      const __mmask16 mask = FirstLanes(columns - v * kLanes);
      float* out = c + r * stride + v * kLanes;
      _mm512_mask_storeu_ps(out, mask, _mm512_maskz_loadu_ps(mask, out) + sums[r][v]);
    }
  }
}

void MultiplyAdd(const float* left, const float* right, int64_t m, int64_t k, int64_t n, float* c,
                 int64_t stride) {
  const int64_t pairs = Pairs(k);
  for (int64_t j = 0; j < n; j += kPanel) {
    for (int64_t i = 0; i < m; i += kRows) {
      MultiplyPanels(left + i * pairs, right + j * pairs, Least(kRows, m - i), pairs,
                     Least(kPanel, n - j), c + i * stride + j, stride);
    }
  }
}

#endif

}  // namespace

extern const MatrixLoops<float> kBfloat16Matrices = {LeftSize, RightSize, PackLeft, PackRight,
                                                     MultiplyAdd};

}  // namespace CANDSAMP_ISA
}  // namespace candsamp
