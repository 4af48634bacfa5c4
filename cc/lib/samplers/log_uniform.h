// SPDX-License-Identifier: Apache-2.0
// The log-uniform (Zipfian) distribution, P(k) = log((k + 2) / (k + 1)) / log(range + 1). A draw,
// floor(exp(u log(range + 1))) - 1 for a uniform u, takes O(1) time.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_LOG_UNIFORM_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_LOG_UNIFORM_H_

#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

class LogUniform : public Distribution {
 public:
  explicit LogUniform(int64_t range);

  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts = nullptr) const override;
  void ExpectedCounts(const int64_t* ids, int64_t count, double factor, float* out) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  LogUniformRange map_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_LOG_UNIFORM_H_
