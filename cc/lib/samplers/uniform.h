// SPDX-License-Identifier: Apache-2.0
// The uniform distribution. A draw takes O(1) time.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_UNIFORM_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_UNIFORM_H_

#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

class Uniform : public Distribution {
 public:
  explicit Uniform(int64_t range) : Distribution(range), map_(MakeUniformRange(range)) {}

  bool is_uniform() const override { return true; }
  void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
            int64_t* out, const ExpectedCountOutput* counts = nullptr) const override;
  void Probabilities(const int64_t* ids, int64_t count, double* out) const override;

 private:
  UniformRange map_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_UNIFORM_H_
