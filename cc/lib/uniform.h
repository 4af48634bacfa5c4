// The uniform distribution. O(1) a draw.
#ifndef TF_CANDSAMP_CC_LIB_UNIFORM_H_
#define TF_CANDSAMP_CC_LIB_UNIFORM_H_

#include "cc/lib/distribution.h"
#include "cc/lib/host_device.h"

namespace candsamp {

// Maps 64 random bits to [0, n) without bias, by rejection of the lowest 2^64 mod n values.
struct UniformRange {
  uint64_t n;
  uint64_t rejected;    // bits below are drawn again
  uint64_t reciprocal;  // floor(2^64 / n), or 0 when n is a power of two
};

CANDSAMP_FORMULA UniformRange MakeUniformRange(uint64_t n) {
  if ((n & (n - 1)) == 0) return {n, 0, 0};
  return {n, ~uint64_t{0} % n + 1, ~uint64_t{0} / n};
}

CANDSAMP_FORMULA uint64_t HighProduct(uint64_t a, uint64_t b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
#endif
}

// bits mod n.
CANDSAMP_FORMULA uint64_t UniformDraw(uint64_t bits, const UniformRange& range) {
  if (range.reciprocal == 0) return bits & (range.n - 1);
  // The quotient is right or one too small.
  const uint64_t rest = bits - HighProduct(bits, range.reciprocal) * range.n;
  return rest >= range.n ? rest - range.n : rest;
}

class Uniform : public Distribution {
 public:
  explicit Uniform(int64_t range) : Distribution(range), map_(MakeUniformRange(range)) {}

  void Draw(Host& host, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  UniformRange map_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_UNIFORM_H_
