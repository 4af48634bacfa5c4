#include "cc/lib/samplers/draw_candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cc/lib/classes/id_set.h"
#include "cc/lib/sampler_math/sampler_loops.h"
#include "cc/lib/sampler_math/stream_bits.h"

namespace candsamp {
namespace {

// Calls use(first, n, p) with the probabilities of all classes in order, n at a time.
template <typename Use>
void ForEachClass(Runtime& runtime, const Distribution& distribution, double* p, Use use) {
  for (int64_t first = 0; first < distribution.range(); first += kClassBlock) {
    const int64_t n = std::min(distribution.range() - first, kClassBlock);
    runtime.ParallelFor(n, 12, [&](int64_t begin, int64_t end) {
      int64_t ids[kDrawBlock];
      for (int64_t at = begin; at < end; at += kDrawBlock) {
        const int64_t count = std::min(end - at, kDrawBlock);
        for (int64_t k = 0; k < count; ++k) ids[k] = first + at + k;
        distribution.Probabilities(ids, count, p + at);
      }
    });
    use(first, n, p);
  }
}

// Copies the ids that were not in the set, and puts them into it; returns how many. Without
// branches: which ids are new cannot be predicted. Those that are in it are told apart first where
// that is many: looking one up need not wait until those before it are in. The set is copied so
// that the compiler sees that writing to its memory does not change it.
// REQUIRES: room for count ids in out.
int64_t CopyUnseen(IdSet set, bool many_seen, int64_t* ids, int64_t count, int64_t* out) {
  constexpr int64_t kAhead = 16;
  if (many_seen) {
    int64_t hopeful = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t id = ids[k];
      ids[hopeful] = id;
      hopeful += !set.Contains(id);
    }
    count = hopeful;
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

class Drawing {
 public:
  Drawing(Runtime& runtime, const Distribution& distribution, const PhiloxStream& stream,
          const Draws& draws, int64_t* out)
      : runtime_(runtime),
        distribution_(distribution),
        stream_(stream),
        draws_(draws),
        out_(out),
        excluded_(MakeSet(draws.num_excluded)),
        seen_(MakeSet(draws.unique ? draws.count + 1 : 0)),
        mass_(1) {
    int64_t available = distribution.support();
    for (int64_t k = 0; k < draws.num_excluded; ++k) {
      double p;
      distribution.Probabilities(&draws.excluded[k], 1, &p);
      excluded_.Insert(draws.excluded[k]);
      mass_ -= p;
      available -= p > 0;
    }
    if (mass_ < kLeastDifference) mass_ = UnseenMass();
    all_drawn_ = draws.unique && draws.count == available;
    wanted_ = draws.count + (draws.unique && draws.exact_counts && !all_drawn_);
  }

  CountRule Run() {
    Reject();
    if (picked_ < wanted_) {
      if (draws_.unique) {
        FinishByClocks();
      } else {
        FinishBySums();
      }
    }
    const bool is_timed = draws_.unique && draws_.exact_counts && !all_drawn_;
    return CountRuleOf(draws_.unique, draws_.exact_counts, draws_.count, tries_,
                       is_timed ? TimeSpent() : std::numeric_limits<double>::max(), mass_);
  }

 private:
  IdSet MakeSet(int64_t capacity) {
    if (capacity == 0) return IdSet();
    return IdSet(runtime_.Allocate<uint64_t>(IdSet::Words(capacity, distribution_.range())),
                 capacity, distribution_.range());
  }

  bool IsExcluded(int64_t id) const { return draws_.num_excluded > 0 && excluded_.Contains(id); }
  bool IsUnseen(int64_t id) const {
    return !IsExcluded(id) && !(draws_.unique && seen_.Contains(id));
  }

  // Draws until there are enough, or until it gets tedious.
  void Reject() {
    const int64_t most = MostDraws(draws_.count);
    int64_t* const ids = runtime_.Allocate<int64_t>(BatchCapacity(draws_.count));
    int64_t tries = 0;
    uint64_t position = 0;
    double rate = 1;  // of the latest draws that were taken
    for (int64_t drawn = 0; drawn < most && picked_ < wanted_;) {
      // Few large batches: it takes time to wake threads.
      const double expected = std::ceil(static_cast<double>(wanted_ - picked_) / rate);
      const int64_t capacity = std::min(most - drawn, BatchCapacity(draws_.count));
      const int64_t batch = static_cast<int64_t>(std::min<double>(expected, capacity));
      distribution_.Draw(runtime_, stream_, &position, batch, ids);
      drawn += batch;
      for (int64_t begin = 0; begin < batch && picked_ < wanted_; begin += kDrawBlock) {
        const int64_t size = std::min(batch - begin, kDrawBlock);
        const int64_t picked_before = picked_;
        tries += Take(ids + begin, size, rate < 0.75);
        rate = std::max<double>(picked_ - picked_before, 0.5) / static_cast<double>(size);
      }
    }
    tries_ = static_cast<double>(tries);
  }

  // Picks what can be picked until there are enough; returns how many tries that took.
  int64_t Take(int64_t* ids, int64_t count, bool many_seen) {
    if (draws_.unique && draws_.num_excluded == 0 && count <= draws_.count - picked_) {
      const bool filter = many_seen && seen_.is_bitmap();
      picked_ += CopyUnseen(seen_, filter, ids, count, out_ + picked_);
      return count;
    }
    int64_t tries = 0;
    for (int64_t k = 0; k < count && picked_ < wanted_; ++k) {
      const int64_t id = ids[k];
      if (IsExcluded(id)) continue;
      ++tries;
      if (draws_.unique && !seen_.Insert(id)) continue;
      if (picked_ < draws_.count) out_[picked_] = id;
      ++picked_;
    }
    return tries;
  }

  void FinishByClocks() {
    using Clock = std::pair<double, int64_t>;  // when it rings, and whose it is
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
      if (picked_ < draws_.count) out_[picked_] = first[k].second;
    }
    if (draws_.exact_counts) {
      clock_time_ = first[missing - 1].first * mass_;
    } else {
      CountGeometricTries(picked_before);
    }
  }

  // Adds the tries it would have taken to draw the candidates from number `from` on, from the last
  // one backwards: sums of what is left do not cancel.
  void CountGeometricTries(int64_t from) {
    double unseen = UnseenMass();
    const PhiloxStream stream = StreamFor(stream_, Purpose::kWaiting);
    for (int64_t k = draws_.count - 1; k >= from; --k) {
      double p;
      distribution_.Probabilities(&out_[k], 1, &p);
      unseen += p;
      tries_ += GeometricDraw(BlockOf(stream, k).bits[0], unseen / mass_);
    }
  }

  // Draws with replacement by the cumulated sums of all classes that are not excluded.
  void FinishBySums() {
    using Mark = std::pair<double, int64_t>;  // a share of all mass, and which draw it is
    const int64_t missing = wanted_ - picked_;
    Mark* const marks = runtime_.Allocate<Mark>(missing);
    const PhiloxStream stream = StreamFor(stream_, Purpose::kRest);
    for (int64_t k = 0; k < missing; ++k) {
      marks[k] = {OpenUnit(BlockOf(stream, k).bits[0]), picked_ + k};
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

  // Calls use(first, n, p, before, after) with the classes [first, first + n), their probabilities,
  // and the sums of those of all classes before, and up to there, that can be picked.
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

  // The sum of the probabilities of all classes that are neither excluded nor seen.
  double UnseenMass() {
    double sum = 0;
    ForEachUnseenSum([&](int64_t, int64_t, const double*, double, double after) { sum = after; });
    return sum;
  }

  // When the clock of the last candidate wanted rang: that of the last draw, and what came after.
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
  const Draws& draws_;
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
                         const PhiloxStream& stream, const Draws& draws, int64_t* out,
                         float* expected_count) {
  if (!draws.unique && draws.num_excluded == 0) {
    const DrawCounts counts = {static_cast<double>(draws.count), expected_count};
    uint64_t position = 0;
    distribution.Draw(runtime, stream, &position, draws.count, out, &counts);
    return {CountRule::kProportional, counts.factor};
  }
  const CountRule rule = Drawing(runtime, distribution, stream, draws, out).Run();
  ExpectedCounts(runtime, distribution, rule, out, draws.count, expected_count);
  return rule;
}

int64_t DrawScratchBytes(const Draws& draws, int64_t range) {
  const int64_t sets = (draws.num_excluded ? IdSet::Words(draws.num_excluded, range) : 0) +
                       (draws.unique ? IdSet::Words(draws.count + 1, range) : 0);
  const int64_t finish = 2 * Drawing::ClockCapacity(draws.count + 1) + 2 * kClassBlock;
  return 8 * (sets + finish + Drawing::BatchCapacity(draws.count)) + 64 * 6;
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
      distribution.Counts(ids + begin, end - begin, rule.parameter, out + begin);
      return;
    }
    double p[kDrawBlock];
    for (int64_t at = begin; at < end; at += kDrawBlock) {
      const int64_t n = std::min(end - at, kDrawBlock);
      distribution.Probabilities(ids + at, n, p);
      if (rule.mass != 1) {
        for (int64_t k = 0; k < n; ++k) p[k] = std::min(p[k] / rule.mass, 1.0);
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
