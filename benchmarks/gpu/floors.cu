// SPDX-License-Identifier: Apache-2.0
// The floors on a CUDA device.
#include "benchmarks/gpu/floors.h"
#include "cc/cuda/core/cuda_launcher.cu.h"

namespace candsamp {
namespace {

CANDSAMP_DEVICE uint64_t Formulas(const UniformView& view, const RandomDraw& draw) {
  return static_cast<uint64_t>(view.Class({}, draw));
}
CANDSAMP_DEVICE uint64_t Formulas(const LogUniformView& view, const RandomDraw& draw) {
  const int64_t id = view.Class({}, draw);
  return static_cast<uint64_t>(id) + __float_as_uint(view.ExpectedCount(id, 1000));
}
CANDSAMP_DEVICE uint64_t Formulas(const FixedUnigramView& view, const RandomDraw& draw) {
  return ColumnDraw(static_cast<uint32_t>(draw.bits), view.column_range) + draw.more;
}
CANDSAMP_DEVICE uint64_t Formulas(const LearnedUnigramView& view, const RandomDraw& draw) {
  return HighProduct(draw.bits, 2 * static_cast<uint64_t>(view.range));
}

template <typename View>
struct Arithmetic {
  View view;
  int64_t counters;  // of the stream
  uint64_t* sink;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const PhiloxStream stream = {1, 2, 3};
    uint64_t sum = 0;
    for (int64_t c = GridRank(block); c < counters; c += GridSize(block)) {
      const uint64_t counter = static_cast<uint64_t>(c);
      Carry carry = {0, 0};
      view.Feed(counter, PhiloxBlockOf(stream, counter), &carry,
                [&](const RandomDraw& draw) { sum += Formulas(view, draw); });
    }
    // Never true, but the compiler cannot know that and drop the sum.
    if (sum == 0x123456789abcdef) *sink = sum;
  }
};

struct Nothing {
  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block&) const {}
};

}  // namespace

int LaunchEmpty(CudaStream cuda_stream, bool together) {
  CudaLauncher launcher(cuda_stream);
  if (together) {
    launcher.Together(128, Nothing());
  } else {
    launcher.ForEach(128 * kBlockThreads, Nothing());
  }
  return launcher.error();
}

template <typename View>
int LaunchArithmetic(CudaStream cuda_stream, const View& view, int64_t draws, uint64_t* sink) {
  CudaLauncher launcher(cuda_stream);
  launcher.ForEach((draws + 1) / 2, Arithmetic<View>{view, (draws + 1) / 2, sink});
  return launcher.error();
}

template int LaunchArithmetic(CudaStream, const UniformView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const LogUniformView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const FixedUnigramView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const LearnedUnigramView&, int64_t, uint64_t*);

}  // namespace candsamp
