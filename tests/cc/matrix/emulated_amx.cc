// SPDX-License-Identifier: Apache-2.0
// The AMX matrix loops with AMX itself emulated, for machines that have AVX512-BF16 but no AMX.
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx512bf16")
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "tests/cc/matrix/emulated_amx.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace {

// The tile registers of a thread: eight tiles of 16 rows of 64 bytes.
thread_local uint8_t tiles[8][16][64];
thread_local bool configured = false;

// The loops always configure eight whole tiles.
void LoadConfig(const void* memory) {
  const uint8_t* bytes = static_cast<const uint8_t*>(memory);
  for (int k = 0; k < 16; ++k) {
    if (bytes[k] != (k == 0 ? 1 : 0)) __builtin_trap();
  }
  for (int t = 0; t < 16; ++t) {
    uint16_t columns;
    memcpy(&columns, bytes + 16 + 2 * t, sizeof columns);
    if (columns != (t < 8 ? 64 : 0) || bytes[48 + t] != (t < 8 ? 16 : 0)) __builtin_trap();
  }
  memset(tiles, 0, sizeof tiles);
  configured = true;
}

void Release() { configured = false; }

uint8_t* Tile(int t) {
  if (!configured) __builtin_trap();
  return tiles[t][0];
}

void Zero(int t) { memset(Tile(t), 0, sizeof tiles[t]); }

void Load(int t, const void* memory, int64_t stride) {
  uint8_t* tile = Tile(t);
  for (int r = 0; r < 16; ++r) {
    memcpy(tile + 64 * r, static_cast<const uint8_t*>(memory) + r * stride, 64);
  }
}

void Store(int t, void* memory, int64_t stride) {
  const uint8_t* tile = Tile(t);
  for (int r = 0; r < 16; ++r) {
    memcpy(static_cast<uint8_t*>(memory) + r * stride, tile + 64 * r, 64);
  }
}

float Bfloat16At(const uint8_t* bytes) {
  uint16_t half;
  memcpy(&half, bytes, sizeof half);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// TDPBF16PS, as Intel's manual describes it: sum[m][n] += a[m][2k] b[k][2n] + a[m][2k+1]
// b[k][2n+1].
void MultiplyBfloat16(int sum, int a, int b) {
  for (int m = 0; m < 16; ++m) {
    for (int k = 0; k < 16; ++k) {
      const uint8_t* left = Tile(a) + 64 * m + 4 * k;
      for (int n = 0; n < 16; ++n) {
        const uint8_t* right = Tile(b) + 64 * k + 4 * n;
        float value;
        memcpy(&value, Tile(sum) + 64 * m + 4 * n, sizeof value);
        value += Bfloat16At(left) * Bfloat16At(right);
        value += Bfloat16At(left + 2) * Bfloat16At(right + 2);
        memcpy(Tile(sum) + 64 * m + 4 * n, &value, sizeof value);
      }
    }
  }
}

}  // namespace

// The names of the intrinsics, which the compiler's header may have as macros.
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig LoadConfig
#define _tile_release Release
#define _tile_zero Zero
#define _tile_loadd Load
#define _tile_stored Store
#define _tile_dpbf16ps MultiplyBfloat16

#define __AMX_BF16__ 1
#define CANDSAMP_ISA emulated_amx
#include "cc/lib/matrix/bfloat16_matrices_isa.cc"
