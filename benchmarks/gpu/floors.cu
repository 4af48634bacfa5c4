#include "benchmarks/gpu/floors.h"
#include "cc/cuda/core/cuda_block.cu.h"

namespace candsamp {
namespace {

CANDSAMP_DEVICE uint64_t Formulas(const UniformView& view, const RandomDraw& random) {
  return static_cast<uint64_t>(view.Class({}, random));
}
CANDSAMP_DEVICE uint64_t Formulas(const LogUniformView& view, const RandomDraw& random) {
  const int64_t id = view.Class({}, random);
  return static_cast<uint64_t>(id) + __float_as_uint(view.Count(id, 1000));
}
CANDSAMP_DEVICE uint64_t Formulas(const FixedUnigramView& view, const RandomDraw& random) {
  return ColumnDraw(static_cast<uint32_t>(random.bits), view.column_range) + random.more;
}
CANDSAMP_DEVICE uint64_t Formulas(const LearnedUnigramView& view, const RandomDraw& random) {
  return HighProduct(random.bits, 2 * static_cast<uint64_t>(view.range));
}

template <typename View>
struct Arithmetic {
  View view;
  int64_t blocks;  // of the stream
  uint64_t* sink;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const PhiloxStream stream = {1, 2, 3};
    uint64_t sum = 0;
    for (int64_t b = GridRank(block); b < blocks; b += GridSize(block)) {
      Carry carry = {0, 0};
      view.Feed(static_cast<uint64_t>(b), BlockOf(stream, static_cast<uint64_t>(b)), &carry,
                [&](const RandomDraw& random) { sum += Formulas(view, random); });
    }
    // Not so, but the compiler cannot know.
    if (sum == 0x123456789abcdef) *sink = sum;
  }
};

struct Nothing {
  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block&) const {}
};

}  // namespace

int LaunchEmpty(CudaStream stream, bool together) {
  CudaLauncher launcher(stream);
  if (together) {
    launcher.Together(128, Nothing());
  } else {
    launcher.ForEach(128 * kBlockThreads, Nothing());
  }
  return launcher.error();
}

template <typename View>
int LaunchArithmetic(CudaStream stream, const View& view, int64_t draws, uint64_t* sink) {
  CudaLauncher launcher(stream);
  launcher.ForEach((draws + 1) / 2, Arithmetic<View>{view, (draws + 1) / 2, sink});
  return launcher.error();
}

template int LaunchArithmetic(CudaStream, const UniformView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const LogUniformView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const FixedUnigramView&, int64_t, uint64_t*);
template int LaunchArithmetic(CudaStream, const LearnedUnigramView&, int64_t, uint64_t*);

}  // namespace candsamp
