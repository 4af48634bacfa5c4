// SPDX-License-Identifier: Apache-2.0
// Draws candidates with a team of threads: the ids that DrawCandidates
// (cc/lib/samplers/draw_candidates.h) draws, in the same order.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_CANDIDATES_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_CANDIDATES_H_

#include <float.h>
#include <math.h>

#include "cc/cuda/classes/id_set.h"
#include "cc/cuda/core/team.h"
#include "cc/cuda/samplers/distribution.h"
#include "cc/lib/sampler_math/draw_limits.h"
#include "cc/lib/sampler_math/expected_count.h"
#include "cc/lib/sampler_math/variates.h"

namespace candsamp {

// The candidates of a batch or of a row.
struct DeviceDrawRequest {
  int64_t count;
  bool unique;
  bool exact_counts;
  // Classes that are not drawn, in ascending order. Repeated ones and those out of range do not
  // matter.
  const int64_t* excluded;
  int64_t num_excluded;
};

// When a class's clock rings, as the bits of a positive double: their order is that of the doubles.
struct Clock {
  uint64_t time;
  uint64_t id;
};

// The memory in which one team draws.
struct DrawScratch {
  static constexpr int64_t kBins = 256;

  uint64_t* seen;    // for a DeviceIdSet of Slots(count + 1) slots, if unique
  Clock* clocks;     // [count + 1], if unique
  uint64_t* bins;    // [kBins]
  uint64_t* shared;  // [2]
  double* sums;      // [Sums(team size)]

  // How many class blocks a team sums at a time. For each there are the sums of its lanes, and
  // their total.
  static CANDSAMP_METHOD int64_t Wave(int64_t team_size) {
    return team_size / kMassLanes > 1 ? team_size / kMassLanes : 1;
  }
  static CANDSAMP_METHOD int64_t Sums(int64_t team_size) {
    return Wave(team_size) * (kMassLanes + 1);
  }

  // The words of 8 bytes that each draw of `count` candidates needs, and those of each team.
  static CANDSAMP_METHOD int64_t WordsOfDraw(int64_t count, bool unique) {
    return unique ? 2 * DeviceIdSet::Slots(count + 1) + 2 * (count + 1) : 0;
  }
  static CANDSAMP_METHOD int64_t WordsOfTeam(int64_t team_size) {
    return kBins + 2 + Sums(team_size);
  }
  CANDSAMP_DEVICE static DrawScratch In(uint64_t* of_draw, uint64_t* of_team, int64_t count) {
    DrawScratch scratch;
    scratch.seen = of_draw;
    scratch.clocks = reinterpret_cast<Clock*>(of_draw + 2 * DeviceIdSet::Slots(count + 1));
    scratch.bins = of_team;
    scratch.shared = of_team + kBins;
    scratch.sums = reinterpret_cast<double*>(of_team + kBins + 2);
    return scratch;
  }
};

template <typename Team, typename View>
class Drawing {
 public:
  CANDSAMP_DEVICE Drawing(Team& team, const View& view, const PhiloxStream& stream,
                          const DeviceDrawRequest& request, const DrawScratch& scratch,
                          int64_t* out)
      : team_(team),
        view_(view),
        stream_(stream),
        request_(request),
        scratch_(scratch),
        seen_(scratch.seen, DeviceIdSet::Slots(request.count + 1)),
        out_(out) {}

  // All threads of the team call it. Where too few classes can be drawn, the missing ids are -1.
  // The candidates can be read after a barrier.
  CANDSAMP_DEVICE CountRule Run() {
    int64_t available = view_.support();
    for (int64_t k = 0; k < request_.num_excluded; ++k) {
      const int64_t id = request_.excluded[k];
      if ((k > 0 && id == request_.excluded[k - 1]) || id < 0 || id >= view_.range) continue;
      const double p = view_.Probability(id);
      mass_ -= p;
      available -= p > 0;
    }
    if (request_.unique) {
      seen_.Clear(team_);
      team_.Sync();
    }
    if (mass_ < kLeastDifference) mass_ = UnseenMass();
    const bool all_drawn = request_.unique && request_.count >= available;
    wanted_ = request_.count + (request_.unique && request_.exact_counts && !all_drawn);
    if (request_.unique ? all_drawn : available <= 0) wanted_ = Most(available, 0);
    Reject();
    if (picked_ < wanted_) {
      if (request_.unique) {
        FinishByClocks();
      } else {
        FinishBySums();
      }
    }
    for (int64_t k = picked_ + team_.rank(); k < request_.count; k += team_.size()) out_[k] = -1;
    const bool is_timed = request_.unique && request_.exact_counts && !all_drawn;
    return CountRuleOf(request_.unique, request_.exact_counts, request_.count, tries_,
                       is_timed ? TimeSpent() : DBL_MAX, mass_);
  }

 private:
  static constexpr int kCountersPerThread = 2;
  static constexpr int kDrawsPerThread = 2 * kCountersPerThread;

  struct Tally {
    int64_t tries, picked;
  };
  struct AddTallies {
    CANDSAMP_DEVICE Tally operator()(const Tally& a, const Tally& b) const {
      return {a.tries + b.tries, a.picked + b.picked};
    }
  };
  struct RingsFirst {
    CANDSAMP_DEVICE bool operator()(const Clock& a, const Clock& b) const {
      return a.time < b.time || (a.time == b.time && a.id < b.id);
    }
  };

  CANDSAMP_DEVICE bool IsExcluded(int64_t id) const {
    const int64_t at = LowerBound(request_.excluded, request_.num_excluded, id);
    return at < request_.num_excluded && request_.excluded[at] == id;
  }
  CANDSAMP_DEVICE bool CanBePicked(int64_t id, double p) const {
    return p > 0 && !IsExcluded(id) &&
           !(request_.unique && seen_.Contains(static_cast<uint64_t>(id)));
  }

  // Rejection sampling; gives up after MostDraws(count) draws. It goes in rounds:
  // 1. A round takes as many counters of the stream as are expected to yield the missing
  //    candidates. Each thread takes a share of them.
  // 2. Each thread learns the number of its first draw. Where the view rejects draws, a scan over
  //    the threads' transitions says it.
  // 3. Each thread inserts the classes of its draws into the set, with the draws' numbers.
  // 4. After a barrier, a draw is picked if it is the first one of its class. A scan over the
  //    threads' tallies gives picked draws their positions among the candidates.
  // 5. The thread that picks the last candidate says how many tries that took.
  CANDSAMP_DEVICE void Reject() {
    const PhiloxStream own = view_.Start(stream_);
    const int64_t most = MostDraws(request_.count);
    int64_t drawn = 0, tries = 0;
    uint64_t next = 0;  // counter of the stream
    Carry carry = {0, 0};
    double rate = 1;  // of the latest round's draws, how many were picked
    while (drawn < most && picked_ < wanted_) {
      int64_t limit = team_.size() * kCountersPerThread;
      if (request_.unique) limit = Least(limit, seen_.Room(picked_) / 2);
      const double expected = static_cast<double>(wanted_ - picked_) / rate / 2;
      const int64_t counters =
          expected < static_cast<double>(limit) ? static_cast<int64_t>(expected) + 1 : limit;
      const int64_t each = (counters + team_.size() - 1) / team_.size();
      const int64_t first = Least(team_.rank() * each, counters);
      const int64_t mine = Least(each, counters - first);

      PhiloxBlock random[kCountersPerThread];
      for (int64_t j = 0; j < mine; ++j) random[j] = PhiloxBlockOf(own, next + first + j);
      int64_t number = drawn + 2 * first;  // of this thread's first draw
      int64_t emitted = 2 * counters;
      Carry begin = carry;
      if (View::kRejects) {
        Transition all;
        const Transition before = team_.ExclusiveScan(
            TransitionOf(view_, next + first, random, mine), NoTransition(), Compose(), &all);
        number = drawn + before.emitted[carry.holds];
        emitted = all.emitted[carry.holds];
        begin = After(before, carry);
        carry = After(all, carry);
      }
      int64_t ids[kDrawsPerThread], slots[kDrawsPerThread];  // id -1: does not count as a try
      int draws = 0;
      for (int64_t j = 0; j < mine; ++j) {
        view_.Feed(next + first + j, random[j], &begin, [&](const RandomDraw& draw) {
          int64_t id = -1;
          if (number + draws < most) id = view_.Class(own, draw);
          if (IsExcluded(id)) id = -1;
          ids[draws] = id;
          if (request_.unique && id >= 0) {
            slots[draws] =
                seen_.Insert(static_cast<uint64_t>(id), static_cast<uint64_t>(number + draws));
          }
          ++draws;
        });
      }
      if (request_.unique) team_.Sync();
      Tally tally = {0, 0};
      unsigned is_new = 0;
      for (int k = 0; k < draws; ++k) {
        if (ids[k] < 0) continue;
        const bool picks =
            !request_.unique || seen_.IsFirst(slots[k], static_cast<uint64_t>(number + k));
        is_new |= static_cast<unsigned>(picks) << k;
        tally.picked += picks;
        ++tally.tries;
      }
      Tally all;
      const Tally before = team_.ExclusiveScan(tally, Tally{0, 0}, AddTallies(), &all);
      int64_t position = picked_ + before.picked, tried = tries + before.tries;
      for (int k = 0; k < draws; ++k) {
        tried += ids[k] >= 0;
        if (!(is_new >> k & 1)) continue;
        if (position < request_.count) out_[position] = ids[k];
        if (++position == wanted_) scratch_.shared[0] = static_cast<uint64_t>(tried);
      }
      drawn += emitted;
      next += counters;
      if (picked_ + all.picked >= wanted_) {
        team_.Sync();
        picked_ = wanted_;
        tries = static_cast<int64_t>(scratch_.shared[0]);
        team_.Sync();
      } else {
        picked_ += all.picked;
        tries += all.tries;
        rate = (all.picked > 0 ? static_cast<double>(all.picked) : 0.5) / (2.0 * counters);
      }
    }
    tries_ = static_cast<double>(tries);
  }

  // Calls use(clock) for each class that can be picked: each thread for its share of them.
  template <typename Use>
  CANDSAMP_DEVICE void ForEachClock(const PhiloxStream& stream, Use use) const {
    for (int64_t id = team_.rank(); id < view_.range; id += team_.size()) {
      const double p = view_.Probability(id);
      if (!CanBePicked(id, p)) continue;
      const double time =
          ClockOf(PhiloxBlockOf(stream, static_cast<uint64_t>(id) / 2).bits[id % 2], p);
      if (time < HUGE_VAL) use(Clock{BitCast<uint64_t>(time), static_cast<uint64_t>(id)});
    }
  }

  // Picks the classes whose clocks ring first, without memory for all classes:
  // 1. Radix selection finds the last clock to be picked, 8 bits at a time: those of the time, then
  //    those of the class. Bins count the clocks that agree with the bits known so far.
  // 2. The clocks up to that one are collected, and sorted.
  CANDSAMP_DEVICE void FinishByClocks() {
    const PhiloxStream stream = StreamFor(stream_, Purpose::kClocks);
    const int64_t missing = wanted_ - picked_;
    Clock last = {0, 0}, mask = {0, 0};  // the last clock to be picked; its bits that are known
    int64_t needed = missing;
    for (int digit = 0; digit < 16; ++digit) {
      const int shift = 56 - 8 * (digit % 8);
      const bool of_time = digit < 8;
      for (int64_t k = team_.rank(); k < DrawScratch::kBins; k += team_.size())
        scratch_.bins[k] = 0;
      if (team_.rank() == 0) scratch_.shared[0] = 0;
      team_.Sync();
      ForEachClock(stream, [&](const Clock& clock) {
        if (((clock.time ^ last.time) & mask.time) | ((clock.id ^ last.id) & mask.id)) return;
        AtomicAdd(&scratch_.bins[(of_time ? clock.time : clock.id) >> shift & 0xff], 1);
      });
      team_.Sync();
      uint64_t bin = 0;
      while (bin < DrawScratch::kBins - 1 && static_cast<int64_t>(scratch_.bins[bin]) < needed) {
        needed -= static_cast<int64_t>(scratch_.bins[bin++]);
      }
      const int64_t in_bin = static_cast<int64_t>(scratch_.bins[bin]);
      (of_time ? last.time : last.id) |= bin << shift;
      (of_time ? mask.time : mask.id) |= uint64_t{0xff} << shift;
      team_.Sync();
      if (in_bin <= needed) break;  // all clocks of the bin are picked
    }
    ForEachClock(stream, [&](const Clock& clock) {
      const uint64_t time = clock.time & mask.time;
      if (time > last.time || (time == last.time && (clock.id & mask.id) > last.id)) return;
      const int64_t at = static_cast<int64_t>(AtomicAdd(&scratch_.shared[0], 1));
      if (at < missing) scratch_.clocks[at] = clock;
    });
    team_.Sync();
    const int64_t found = Least(missing, static_cast<int64_t>(scratch_.shared[0]));
    TeamSort(team_, scratch_.clocks, found, RingsFirst());
    for (int64_t k = team_.rank(); k < found; k += team_.size()) {
      const uint64_t id = scratch_.clocks[k].id;
      seen_.Insert(id, ~uint64_t{1});  // no draw has this number
      if (picked_ + k < request_.count) out_[picked_ + k] = static_cast<int64_t>(id);
    }
    if (found > 0) clock_time_ = BitCast<double>(scratch_.clocks[found - 1].time) * mass_;
    team_.Sync();
    const int64_t picked_before = picked_;
    picked_ += found;
    if (!request_.exact_counts) CountGeometricTries(picked_before);
  }

  // Adds the tries that drawing the candidates from position `from` on would have taken.
  CANDSAMP_DEVICE void CountGeometricTries(int64_t from) {
    double unseen = UnseenMass();
    if (team_.rank() == 0) {
      // One thread adds them up in the CPU's order: the bits of the sums depend on it.
      const PhiloxStream stream = StreamFor(stream_, Purpose::kWaiting);
      double tries = tries_;
      for (int64_t k = Least(picked_, request_.count) - 1; k >= from; --k) {
        unseen += view_.Probability(out_[k]);
        tries +=
            GeometricDraw(PhiloxBlockOf(stream, static_cast<uint64_t>(k)).bits[0], unseen / mass_);
      }
      scratch_.shared[0] = BitCast<uint64_t>(tries);
    }
    team_.Sync();
    tries_ = BitCast<double>(scratch_.shared[0]);
    team_.Sync();
  }

  // Draws with replacement by cumulated sums of the probabilities of classes that are not excluded.
  // Each draw has a target between 0 and their total: its class is the first whose sum exceeds it.
  CANDSAMP_DEVICE void FinishBySums() {
    const PhiloxStream stream = StreamFor(stream_, Purpose::kRest);
    const double all = UnseenMass();
    const int64_t missing = wanted_ - picked_;
    const auto target = [&](int64_t k) {
      return OpenUnit(PhiloxBlockOf(stream, static_cast<uint64_t>(k)).bits[0]) * all;
    };
    double sum = 0;
    ForEachWave([&](int64_t first, int64_t class_blocks, const double* sums) {
      for (int64_t k = team_.rank(); k < missing; k += team_.size()) {
        double before = sum;
        for (int64_t b = 0; b < class_blocks; ++b) {
          const double after = before + sums[b];
          if (before != after && before <= target(k) && target(k) < after) {
            out_[picked_ + k] = ClassAt(first + b, before, target(k));
            break;
          }
          before = after;
        }
      }
      for (int64_t b = 0; b < class_blocks; ++b) sum += sums[b];
    });
    // The rounding of sums may leave targets beyond all of them: they get the last class.
    for (int64_t k = team_.rank(); k < missing; k += team_.size()) {
      if (target(k) < sum) continue;
      int64_t id = view_.range - 1;
      while (id > 0 && !CanBePicked(id, view_.Probability(id))) --id;
      out_[picked_ + k] = id;
    }
    picked_ = wanted_;
  }

  // The first class of a class block whose cumulated sum exceeds the target. `before` is the sum at
  // the block's beginning.
  CANDSAMP_DEVICE int64_t ClassAt(int64_t class_block, double before, double target) const {
    const int64_t begin = class_block * kClassBlock;
    const int64_t end = Least(begin + kClassBlock, view_.range);
    int64_t last = begin;
    double sum = before;
    for (int64_t id = begin; id < end && !(target < sum); ++id) {
      const double p = view_.Probability(id);
      if (!CanBePicked(id, p)) continue;
      sum += p;
      last = id;
    }
    return last;
  }

  // The sum of the probabilities of all classes that can be picked.
  CANDSAMP_DEVICE double UnseenMass() {
    double sum = 0;
    ForEachWave([&](int64_t, int64_t class_blocks, const double* sums) {
      for (int64_t b = 0; b < class_blocks; ++b) sum += sums[b];
    });
    return sum;
  }

  // Calls use(first, n, sums) on all threads, for n class blocks at a time. For 0 <= k < n, sums[k]
  // is the probability that class block first + k still holds, added in the CPU's order.
  template <typename Use>
  CANDSAMP_DEVICE void ForEachWave(Use use) {
    const int64_t wave = DrawScratch::Wave(team_.size());
    double* const sums = scratch_.sums + wave * kMassLanes;
    const int64_t all = (view_.range + kClassBlock - 1) / kClassBlock;
    for (int64_t first = 0; first < all; first += wave) {
      const int64_t class_blocks = Least(wave, all - first);
      for (int64_t at = team_.rank(); at < class_blocks * kMassLanes; at += team_.size()) {
        const int64_t begin = (first + at / kMassLanes) * kClassBlock;
        const int64_t end = Least(begin + kClassBlock, view_.range);
        double lane = 0;
        for (int64_t id = begin + at % kMassLanes; id < end; id += kMassLanes) {
          const double p = view_.Probability(id);
          if (CanBePicked(id, p)) lane += p;
        }
        scratch_.sums[at] = lane;
      }
      team_.Sync();
      for (int64_t b = team_.rank(); b < class_blocks; b += team_.size()) {
        double sum = 0;
        for (int64_t lane = 0; lane < kMassLanes; ++lane) {
          sum += scratch_.sums[b * kMassLanes + lane];
        }
        sums[b] = sum;
      }
      team_.Sync();
      use(first, class_blocks, sums);
      team_.Sync();
    }
  }

  // When the last wanted candidate came: the time of the draws, plus that of the clocks after them.
  CANDSAMP_DEVICE double TimeSpent() const {
    if (tries_ == 0) return clock_time_;
    return GammaDraw(StreamFor(stream_, Purpose::kWaiting), tries_) + clock_time_;
  }

  Team& team_;
  const View& view_;
  const PhiloxStream stream_;
  const DeviceDrawRequest request_;
  const DrawScratch scratch_;
  DeviceIdSet seen_;
  int64_t* out_;
  double mass_ = 1;
  int64_t wanted_ = 0, picked_ = 0;
  double tries_ = 0;
  double clock_time_ = 0;
};

// The expected count of a class; NaN where it is out of range.
template <typename View>
CANDSAMP_DEVICE float ExpectedCountOf(const View& view, const CountRule& rule, int64_t id) {
  if (id < 0 || id >= view.range) return NAN;
  if (rule.kind == CountRule::kProportional && rule.mass == 1) {
    return view.ExpectedCount(id, rule.parameter);
  }
  return ExpectedCount(rule, view.Probability(id));
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DRAW_CANDIDATES_H_
