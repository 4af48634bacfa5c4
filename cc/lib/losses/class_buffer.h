// SPDX-License-Identifier: Apache-2.0
// The classes of a few segments of a ragged batch, gathered before they are worked on.
//
// Class rows lie anywhere in memory, and fetching them takes most of the time. So the loops fetch
// rows well ahead of their use, and past the ends of segments.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_CLASS_BUFFER_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_CLASS_BUFFER_H_

#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/logits/logit_option_loops.h"
#include "cc/lib/logits/logit_options.h"
#include "cc/lib/logits/softcap.h"
#include "cc/lib/logits/unit_rows.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/row_table.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {

// The classes of segments that are worked on together: the addresses of their rows and biases,
// their log q, and the addresses of the gradients of their logits.
template <typename W>
class ClassBuffer {
 public:
  using A = Accumulator<W>;

  ClassBuffer(const RowTable<W>& weights, const RowTable<W>& biases, const LogitOptions& options)
      : weights_(weights), biases_(biases), options_(options) {}

  // REQUIRES: size() < kSegmentLength. log_q may be nullptr.
  void Add(int64_t id, const float* log_q, A* logit_grad) {
    rows_[size_] = weights_.Row(id);
    // RowLoops::dot fetches the other rows while it works on earlier ones.
    if (size_ < kRowsAhead) FetchRow(rows_[size_], weights_.depth());
    if (!biases_.empty()) {
      biases_at_[size_] = biases_.Row(id);
      __builtin_prefetch(biases_at_[size_]);
    }
    minus_log_q_[size_] = log_q ? -A(*log_q) : A(0);
    logit_grads_[size_++] = logit_grad;
  }

  void Clear() { size_ = 0; }
  int64_t size() const { return size_; }
  const W* const* rows() const { return rows_; }
  A* logit_grad(int64_t k) const { return logit_grads_[k]; }

  // Writes the logits of the classes [first, first + count) for the scaled input x. With a softcap
  // also their derivatives by what it caps, and with `normalize` what divides the rows by their
  // norms.
  void Logits(int64_t first, int64_t count, const A* x, A* logits, A* slopes,
              A* inverse_norms) const {
    loops_.dot(rows_ + first, count, size_ - first, x, weights_.depth(), logits);
    if (options_.normalize) {
      for (int64_t k = 0; k < count; ++k) {
        inverse_norms[k] = InverseNorm(rows_[first + k], weights_.depth());
        logits[k] *= inverse_norms[k];
      }
    }
    if (options_.softcap != 0) return Cap(first, count, logits, slopes);
    for (int64_t k = 0; k < count; ++k) logits[k] += minus_log_q_[first + k];
    if (biases_.empty()) return;
    for (int64_t k = 0; k < count; ++k) logits[k] += Widen(*biases_at_[first + k]);
  }

 private:
  // Adds biases, caps the sums, and subtracts log q.
  void Cap(int64_t first, int64_t count, A* logits, A* slopes) const {
    A shifts[kSegmentLength];
    for (int64_t k = 0; k < count; ++k) {
      const A bias = biases_.empty() ? A(0) : Widen(*biases_at_[first + k]);
      logits[k] += BiasUnderSoftcap(bias);
      shifts[k] = IsMask(bias) ? bias : minus_log_q_[first + k];
    }
    ChosenSoftcapLoops<A>().softcap(logits, shifts, count, static_cast<A>(options_.softcap),
                                    slopes);
  }

  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const LogitOptions& options_;
  const RowLoops<W>& loops_ = ChosenRowLoops<W>();
  int64_t size_ = 0;
  const W* rows_[kSegmentLength];
  const W* biases_at_[kSegmentLength];
  A minus_log_q_[kSegmentLength];
  A* logit_grads_[kSegmentLength];
};

// Collects segments until their classes fill a buffer, then works through the buffer, so that the
// rows of several short segments are looked up together. gather(segment, &classes) adds a segment's
// classes. run(segment, classes, first, end) works on its classes, [first, end) of the buffer.
template <typename W, typename Gather, typename Run>
class SegmentCollector {
 public:
  SegmentCollector(const RowTable<W>& weights, const RowTable<W>& biases,
                   const LogitOptions& options, Gather gather, Run run)
      : classes_(weights, biases, options), gather_(gather), run_(run) {}

  void Add(const Segment& segment) {
    if (count_ == kMostSegments || classes_.size() + segment.end - segment.begin > kSegmentLength) {
      End();
    }
    gather_(segment, &classes_);
    segments_[count_] = segment;
    ends_[count_++] = classes_.size();
  }

  void End() {
    int64_t first = 0;
    for (int64_t k = 0; k < count_; first = ends_[k++]) {
      run_(segments_[k], classes_, first, ends_[k]);
    }
    classes_.Clear();
    count_ = 0;
  }

 private:
  static constexpr int64_t kMostSegments = 64;
  ClassBuffer<W> classes_;
  Gather gather_;
  Run run_;
  int64_t count_ = 0;
  Segment segments_[kMostSegments];
  int64_t ends_[kMostSegments];
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_CLASS_BUFFER_H_
