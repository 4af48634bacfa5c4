// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/draw_candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cc/lib/classes/id_set.h"
#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/sampler_math/stream_bits.h"
#include "cc/lib/sampler_math/variates.h"

namespace candsamp {
namespace {

// Calls use(first, n, p) for consecutive blocks of all classes: p[k] is the probability of the
// class first + k.
template <typename Use>
void ForEachClass(Runtime& runtime, const Distribution& distribution, double* p, Use use) {
  for (int64_t first = 0; first < distribution.range(); first += kClassBlock) {
    const int64_t n = std::min(distribution.range() - first, kClassBlock);
    runtime.ParallelFor(n, 12, [&](int64_t begin, int64_t end) {
      int64_t ids[kDrawChunk];
      for (int64_t at = begin; at < end; at += kDrawChunk) {
        const int64_t count = std::min(end - at, kDrawChunk);
        for (int64_t k = 0; k < count; ++k) ids[k] = first + at + k;
        distribution.Probabilities(ids, count, p + at);
      }
    });
    use(first, n, p);
  }
}

// Inserts the ids into the set, and copies those that are new. Returns how many.
//
// No branches: nothing predicts which ids are new. If many ids are already in the set, a first pass
// filters them out: lookups are independent of each other, inserts are not. The set is a copy, so
// that the compiler sees that writes to its memory do not change the object itself. REQUIRES: `out`
// has room for `count` ids.
int64_t CopyUnseen(IdSet set, bool many_seen, int64_t* ids, int64_t count, int64_t* out) {
  constexpr int64_t kAhead = 16;
  if (many_seen) {
    int64_t left = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t id = ids[k];
      ids[left] = id;
      left += !set.Contains(id);
    }
    count = left;
  }
  int64_t copied = 0;
  for (int64_t k = 0; k < count; ++k) {
    if (k + kAhead < count) set.Prefetch(ids[k + kAhead]);
    const int64_t id = ids[k];
    out[copied] = id;
    copied += set.Insert(id);
  }
  return copied;
}

// One call of DrawCandidates for a request that needs more than plain draws.
class Drawing {
 public:
  Drawing(Runtime& runtime, const Distribution& distribution, const PhiloxStream& stream,
          const DrawRequest& request, int64_t* out)
      : runtime_(runtime),
        distribution_(distribution),
        stream_(stream),
        request_(request),
        out_(out),
        excluded_(MakeSet(request.num_excluded)),
        seen_(MakeSet(request.unique ? request.count + 1 : 0)),
        mass_(1) {
    int64_t available = distribution.support();
    for (int64_t k = 0; k < request.num_excluded; ++k) {
      double p;
      distribution.Probabilities(&request.excluded[k], 1, &p);
      excluded_.Insert(request.excluded[k]);
      mass_ -= p;
      available -= p > 0;
    }
    if (mass_ < kLeastDifference) mass_ = UnseenMass();
    all_drawn_ = request.unique && request.count == available;
    wanted_ = request.count + (request.unique && request.exact_counts && !all_drawn_);
  }

  CountRule Run() {
    Reject();
    if (picked_ < wanted_) {
      if (request_.unique) {
        FinishByClocks();
      } else {
        FinishBySums();
      }
    }
    const bool is_timed = request_.unique && request_.exact_counts && !all_drawn_;
    return CountRuleOf(request_.unique, request_.exact_counts, request_.count, tries_,
                       is_timed ? TimeSpent() : std::numeric_limits<double>::max(), mass_);
  }

 private:
  double RequestedCount() const { return static_cast<double>(request_.count); }

  IdSet MakeSet(int64_t capacity) {
    if (capacity == 0) return IdSet();
    return IdSet(runtime_.Allocate<uint64_t>(IdSet::Words(capacity, distribution_.range())),
                 capacity, distribution_.range());
  }

  bool IsExcluded(int64_t id) const { return request_.num_excluded > 0 && excluded_.Contains(id); }
  bool IsUnseen(int64_t id) const {
    return !IsExcluded(id) && !(request_.unique && seen_.Contains(id));
  }

  // Rejection sampling. Gives up after MostDraws(count) draws.
  void Reject() {
    const int64_t most = MostDraws(request_.count);
    int64_t* const ids = runtime_.Allocate<int64_t>(BatchCapacity(request_.count));
    int64_t tries = 0;
    uint64_t position = 0;
    double rate = 1;  // the share of the latest draws that was picked
    for (int64_t drawn = 0; drawn < most && picked_ < wanted_;) {
      // Few large batches, since waking threads takes time.
      const double expected = std::ceil(static_cast<double>(wanted_ - picked_) / rate);
      const int64_t capacity = std::min(most - drawn, BatchCapacity(request_.count));
      const int64_t batch = static_cast<int64_t>(std::min<double>(expected, capacity));
      distribution_.Draw(runtime_, stream_, &position, batch, ids);
      drawn += batch;
      for (int64_t begin = 0; begin < batch && picked_ < wanted_; begin += kDrawChunk) {
        const int64_t size = std::min(batch - begin, kDrawChunk);
        const int64_t picked_before = picked_;
        tries += Take(ids + begin, size, rate < 0.75);
        rate = std::max<double>(picked_ - picked_before, 0.5) / static_cast<double>(size);
      }
    }
    tries_ = static_cast<double>(tries);
  }

  // Picks the ids that are neither excluded nor seen, until there are enough. Returns the number of
  // tries: ids that were looked at and are not excluded.
  int64_t Take(int64_t* ids, int64_t count, bool many_seen) {
    if (request_.unique && request_.num_excluded == 0 && count <= request_.count - picked_) {
      const bool filter = many_seen && seen_.is_bitmap();
      picked_ += CopyUnseen(seen_, filter, ids, count, out_ + picked_);
      return count;
    }
    int64_t tries = 0;
    for (int64_t k = 0; k < count && picked_ < wanted_; ++k) {
      const int64_t id = ids[k];
      if (IsExcluded(id)) continue;
      ++tries;
      if (request_.unique && !seen_.Insert(id)) continue;
      if (picked_ < request_.count) out_[picked_] = id;
      ++picked_;
    }
    return tries;
  }

  // Picks the missing candidates by exponential clocks:
  //  1. Give every class that was not seen a clock.
  //  2. Keep the clocks that ring first. When about twice as many as needed are kept, drop the
  //     later half.
  //  3. Sort the kept clocks, and pick in the order in which they ring.
  void FinishByClocks() {
    using Clock = std::pair<double, int64_t>;  // when it rings, and its class
    const int64_t missing = wanted_ - picked_;
    const int64_t capacity = ClockCapacity(missing);
    Clock* const first = runtime_.Allocate<Clock>(capacity);
    int64_t size = 0;
    double latest = std::numeric_limits<double>::infinity();
    const PhiloxStream stream = StreamFor(stream_, Purpose::kClocks);
    double* const times = runtime_.Allocate<double>(kClassBlock);
    ForEachClass(
        runtime_, distribution_, Probabilities(), [&](int64_t begin, int64_t n, double* p) {
          runtime_.ParallelFor(n, 20, [&](int64_t from, int64_t to) {
            ForEachBits(stream, begin, from, to, [&](int64_t at, int64_t m, const uint64_t* bits) {
              ChosenSamplerLoops().clocks(bits, p + at, m, times + at);
            });
          });
          for (int64_t k = 0; k < n; ++k) {
            if (!(times[k] < latest) || !IsUnseen(begin + k)) continue;
            first[size++] = {times[k], begin + k};
            if (size < capacity) continue;
            std::nth_element(first, first + missing - 1, first + size);
            size = missing;
            latest = first[missing - 1].first;
          }
        });
    std::sort(first, first + size);
    const int64_t picked_before = picked_;
    for (int64_t k = 0; k < missing; ++k, ++picked_) {
      seen_.Insert(first[k].second);
      if (picked_ < request_.count) out_[picked_] = first[k].second;
    }
    if (request_.exact_counts) {
      clock_time_ = first[missing - 1].first * mass_;
    } else {
      CountGeometricTries(picked_before);
    }
  }

  // Adds the tries that draws would have taken for the candidates from number `from` on. Goes from
  // the last one backwards, so that the mass left grows by additions and nothing cancels.
  void CountGeometricTries(int64_t from) {
    double unseen = UnseenMass();
    const PhiloxStream stream = StreamFor(stream_, Purpose::kWaiting);
    for (int64_t k = request_.count - 1; k >= from; --k) {
      double p;
      distribution_.Probabilities(&out_[k], 1, &p);
      unseen += p;
      tries_ += GeometricDraw(PhiloxBlockOf(stream, k).bits[0], unseen / mass_);
    }
  }

  // Makes the missing draws with replacement by inversion: sorts their uniform variates, and walks
  // along the cumulated probabilities of all classes that are not excluded.
  void FinishBySums() {
    using Mark = std::pair<double, int64_t>;  // a share of all mass, and the number of its draw
    const int64_t missing = wanted_ - picked_;
    Mark* const marks = runtime_.Allocate<Mark>(missing);
    const PhiloxStream stream = StreamFor(stream_, Purpose::kRest);
    for (int64_t k = 0; k < missing; ++k) {
      marks[k] = {OpenUnit(PhiloxBlockOf(stream, k).bits[0]), picked_ + k};
    }
    std::sort(marks, marks + missing);
    const double all = UnseenMass();
    int64_t next = 0, last = 0;
    const auto is_below = [&](double sum) {
      return next < missing && marks[next].first * all < sum;
    };
    ForEachUnseenSum([&](int64_t begin, int64_t n, const double* p, double before, double after) {
      if (before == after) return;
      double sum = before;
      for (int64_t k = 0; k < n; ++k) {
        if (!CanBePicked(begin + k, p[k])) continue;
        sum += p[k];
        last = begin + k;
        for (; is_below(sum < after ? sum : after); ++next) out_[marks[next].second] = last;
      }
      for (; is_below(after); ++next) out_[marks[next].second] = last;
    });
    for (; next < missing; ++next) out_[marks[next].second] = last;
    picked_ = wanted_;
  }

  bool CanBePicked(int64_t id, double p) const { return p > 0 && IsUnseen(id); }

  // Calls use(first, n, p, before, after) for consecutive blocks of classes [first, first + n). p
  // has their probabilities. `before` and `after` are the sums of the probabilities of the classes
  // that can be picked, up to the beginning and the end of the block.
  template <typename Use>
  void ForEachUnseenSum(Use use) {
    double sum = 0;
    ForEachClass(runtime_, distribution_, Probabilities(),
                 [&](int64_t begin, int64_t n, double* p) {
                   double lanes[kMassLanes] = {};
                   for (int64_t k = 0; k < n; ++k) {
                     if (CanBePicked(begin + k, p[k])) lanes[k % kMassLanes] += p[k];
                   }
                   double block = 0;
                   for (const double lane : lanes) block += lane;
                   use(begin, n, p, sum, sum + block);
                   sum += block;
                 });
  }

  // The sum of the probabilities of the classes that are neither excluded nor seen.
  double UnseenMass() {
    double sum = 0;
    ForEachUnseenSum([&](int64_t, int64_t, const double*, double, double after) { sum = after; });
    return sum;
  }

  // When the clock of the last wanted candidate rang: the time of the draws, a gamma variate, plus
  // the time of FinishByClocks.
  double TimeSpent() const {
    if (tries_ == 0) return clock_time_;
    return GammaDraw(StreamFor(stream_, Purpose::kWaiting), tries_) + clock_time_;
  }

  double* Probabilities() {
    if (!probabilities_) probabilities_ = runtime_.Allocate<double>(kClassBlock);
    return probabilities_;
  }

 public:
  static int64_t ClockCapacity(int64_t missing) { return 2 * missing + 64; }
  static int64_t BatchCapacity(int64_t count) { return std::min(2 * count + 64, int64_t{1} << 20); }

 private:
  Runtime& runtime_;
  const Distribution& distribution_;
  const PhiloxStream& stream_;
  const DrawRequest& request_;
  int64_t* out_;
  IdSet excluded_, seen_;
  double mass_;
  bool all_drawn_ = false;
  int64_t wanted_ = 0, picked_ = 0;
  double tries_ = 0;
  double clock_time_ = 0;
  double* probabilities_ = nullptr;
};

}  // namespace

CountRule DrawCandidates(Runtime& runtime, const Distribution& distribution,
                         const PhiloxStream& stream, const DrawRequest& request, int64_t* out,
                         float* expected_count) {
  if (!request.unique && request.num_excluded == 0) {
    const ExpectedCountOutput counts = {static_cast<double>(request.count), expected_count};
    uint64_t position = 0;
    distribution.Draw(runtime, stream, &position, request.count, out, &counts);
    return {CountRule::kProportional, counts.factor};
  }
  const CountRule rule = Drawing(runtime, distribution, stream, request, out).Run();
  ExpectedCounts(runtime, distribution, rule, out, request.count, expected_count);
  return rule;
}

int64_t DrawScratchBytes(const DrawRequest& request, int64_t range) {
  const int64_t sets = (request.num_excluded ? IdSet::Words(request.num_excluded, range) : 0) +
                       (request.unique ? IdSet::Words(request.count + 1, range) : 0);
  const int64_t finish = 2 * Drawing::ClockCapacity(request.count + 1) + 2 * kClassBlock;
  return 8 * (sets + finish + Drawing::BatchCapacity(request.count)) + 64 * 6;
}

void ExpectedCounts(Runtime& runtime, const Distribution& distribution, const CountRule& rule,
                    const int64_t* ids, int64_t count, float* out) {
  const SamplerLoops& loops = ChosenSamplerLoops();
  if (count > 1 && distribution.is_uniform()) {
    ExpectedCounts(runtime, distribution, rule, ids, 1, out);
    std::fill(out + 1, out + count, out[0]);
    return;
  }
  runtime.ParallelFor(count, 30, [&](int64_t begin, int64_t end) {
    if (rule.kind == CountRule::kProportional && rule.mass == 1) {
      distribution.ExpectedCounts(ids + begin, end - begin, rule.parameter, out + begin);
      return;
    }
    double p[kDrawChunk];
    for (int64_t at = begin; at < end; at += kDrawChunk) {
      const int64_t n = std::min(end - at, kDrawChunk);
      distribution.Probabilities(ids + at, n, p);
      if (rule.mass != 1) {
        for (int64_t k = 0; k < n; ++k) p[k] = ProbabilityAmongRest(p[k], rule.mass);
      }
      switch (rule.kind) {
        case CountRule::kProportional:
          loops.scaled(p, n, rule.parameter, out + at);
          break;
        case CountRule::kWithinTries:
          loops.within_tries(p, n, rule.parameter, out + at);
          break;
        case CountRule::kClock:
          loops.before(p, n, rule.parameter, out + at);
          break;
      }
    }
  });
}

}  // namespace candsamp
