// A distribution over the classes [0, range), from which candidates are drawn.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_

#include <cstdint>

#include "cc/lib/core/philox.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// Where a draw's probability times `factor` goes, while the draw is in the cache.
struct DrawCounts {
  double factor;
  float* out;
};

// Independent draws with replacement, in a fixed order: draw k depends on the stream and k alone,
// not on how many are asked for at a time or on how many threads. Immutable while it is drawn from.
class Distribution {
 public:
  explicit Distribution(int64_t range) : range_(range) {}
  virtual ~Distribution() = default;

  int64_t range() const { return range_; }

  // How many classes have a positive probability.
  virtual int64_t support() const { return range_; }

  // Whether all classes have the same probability.
  virtual bool is_uniform() const { return false; }

  // The next `count` draws. *position says where the last call ended; it starts at 0. With
  // `counts`, also the expected count of each draw.
  virtual void Draw(Runtime& runtime, const PhiloxStream& stream, uint64_t* position, int64_t count,
                    int64_t* out, const DrawCounts* counts = nullptr) const = 0;

  // out[k] = the probability of ids[k]. REQUIRES: 0 <= ids[k] < range().
  virtual void Probabilities(const int64_t* ids, int64_t count, double* out) const = 0;

  // out[k] = the probability of ids[k] times `factor`.
  virtual void Counts(const int64_t* ids, int64_t count, double factor, float* out) const;

 protected:
  // Counts the draws [at, at + n) of Draw.
  void Count(const int64_t* draws, int64_t at, int64_t n, const DrawCounts* counts) const {
    if (counts) Counts(draws + at, n, counts->factor, counts->out + at);
  }

 private:
  int64_t range_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DISTRIBUTION_H_
