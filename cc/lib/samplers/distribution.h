// SPDX-License-Identifier: Apache-2.0
// A distribution over the classes [0, range), from which candidates are drawn.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_

#include <cstdint>

#include "cc/lib/core/philox.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// Where Draw writes expected counts: out[k] = the probability of draw k times `factor`.
struct ExpectedCountOutput {
  double factor;
  float* out;
};

// Draws are independent and with replacement, and their order is fixed: draw k depends on the
// stream and k alone, not on the size of calls or the number of threads. Immutable during draws.
class Distribution {
 public:
  explicit Distribution(int64_t range) : range_(range) {}
  virtual ~Distribution() = default;

  int64_t range() const { return range_; }

  // How many classes have a positive probability.
  virtual int64_t support() const { return range_; }

  // Whether all classes have the same probability.
  virtual bool is_uniform() const { return false; }

  // Writes the next `count` draws. *position starts at 0, and each call advances it. With `counts`,
  // also writes the expected count of each draw, while the draw is in the cache.
  virtual void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
                    int64_t* out, const ExpectedCountOutput* counts = nullptr) const = 0;

  // out[k] = the probability of ids[k]. REQUIRES: 0 <= ids[k] < range().
  virtual void Probabilities(const int64_t* ids, int64_t count, double* out) const = 0;

  // out[k] = the probability of ids[k] times `factor`.
  virtual void ExpectedCounts(const int64_t* ids, int64_t count, double factor, float* out) const;

 protected:
  // Writes the expected counts of the draws [at, at + n), if `counts` asks for them.
  void WriteExpectedCounts(const int64_t* draws, int64_t at, int64_t n,
                           const ExpectedCountOutput* counts) const {
    if (counts) ExpectedCounts(draws + at, n, counts->factor, counts->out + at);
  }

 private:
  int64_t range_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_
