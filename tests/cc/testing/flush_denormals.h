// SPDX-License-Identifier: Apache-2.0
// Sets the floating-point mode that TensorFlow's threads run in.
#ifndef TF_CANDSAMP_TESTS_CC_TESTING_FLUSH_DENORMALS_H_
#define TF_CANDSAMP_TESTS_CC_TESTING_FLUSH_DENORMALS_H_

#include <xmmintrin.h>

namespace candsamp {

// Sets flush-to-zero and denormals-are-zero during its lifetime.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  const unsigned saved_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_TESTING_FLUSH_DENORMALS_H_
