// What is drawn from, as a device sees it: plain values and pointers to the device's memory.
//
// A source takes 128 random bits at a time and makes up to two draws of them. Draws that are
// rejected make it fall behind, and a draw may need bits of the next 128: Feed says which draws
// there are, cheaply; Class then says which class a draw is.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTIONS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTIONS_H_

#include "cc/cuda/core/device.h"
#include "cc/lib/core/philox.h"
#include "cc/lib/sampler_math/alias_column.h"
#include "cc/lib/sampler_math/sampler_formulas.h"
#include "cc/lib/sampler_math/slot_table.h"

namespace candsamp {

struct RandomDraw {
  uint64_t bits;
  uint64_t more;  // what else decides
};

// A draw's class, and the expected count of that.
struct ClassAndCount {
  int64_t id;
  float count;
};

// A fraction that waits for its column, if there is one.
struct Carry {
  uint32_t holds;
  uint32_t fraction;
};

// Draw k is made of 64 bits, number k of the stream.
template <typename Emit>
CANDSAMP_DEVICE void FeedPieces(uint64_t block, const PhiloxBlock& random, Emit emit) {
  emit(RandomDraw{random.bits[0], 2 * block});
  emit(RandomDraw{random.bits[1], 2 * block + 1});
}

struct UniformView {
  static constexpr bool kRejects = true;

  explicit UniformView(int64_t range)
      : range(range), map(MakeUniformRange(range)), probability(1.0 / static_cast<double>(range)) {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t block, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPieces(block, random, [&](const RandomDraw& draw) {
      if (draw.bits >= map.rejected) emit(draw);
    });
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return static_cast<int64_t>(UniformDraw(draw.bits, map));
  }
  CANDSAMP_DEVICE ClassAndCount Sample(const PhiloxStream& stream, const RandomDraw& draw,
                                       double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, Count(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t) const { return probability; }
  CANDSAMP_DEVICE float Count(int64_t, double factor) const {
    return static_cast<float>(probability * factor);
  }

  int64_t range;
  UniformRange map;
  double probability;
};

struct LogUniformView {
  static constexpr bool kRejects = false;

  explicit LogUniformView(int64_t range)
      : range(range), map{range, log1p(static_cast<double>(range))} {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t block, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPieces(block, random, emit);
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return LogUniformDraw(draw.bits, map);
  }
  CANDSAMP_DEVICE ClassAndCount Sample(const PhiloxStream& stream, const RandomDraw& draw,
                                       double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, Count(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    return LogUniformCount<double>(id, map, 1);
  }
  CANDSAMP_DEVICE float Count(int64_t id, double factor) const {
    return LogUniformCount<float>(id, map, factor);
  }

  int64_t range;
  LogUniformRange map;
};

// The alias table that FixedUnigram built, in the device's memory.
struct FixedUnigramView {
  static constexpr bool kRejects = true;

  FixedUnigramView(int64_t range, int64_t support, double total, const AliasColumn* columns)
      : range(range),
        can_be_drawn(support),
        inverse_total(1.0 / total),
        column_range(MakeColumnRange(static_cast<uint32_t>(range))),
        columns(columns) {}

  CANDSAMP_METHOD int64_t support() const { return can_be_drawn; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return stream; }
  // One word is the fraction, the next one the column, again where it is rejected.
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t, const PhiloxBlock& random, Carry* carry, Emit emit) const {
    for (int k = 0; k < 4; ++k) {
      const uint32_t word = static_cast<uint32_t>(random.bits[k / 2] >> (32 * (k % 2)));
      if (!carry->holds) {
        *carry = {1, word};
      } else if (word >= column_range.rejected) {
        carry->holds = 0;
        emit(RandomDraw{word, carry->fraction});
      }
    }
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream&, const RandomDraw& draw) const {
    return Choose(draw).id;
  }
  // Of one column: what is drawn can be drawn.
  CANDSAMP_DEVICE ClassAndCount Sample(const PhiloxStream&, const RandomDraw& draw,
                                       double factor) const {
    const WeightedClass drawn = Choose(draw);
    return {drawn.id, static_cast<float>(drawn.weight * inverse_total * factor)};
  }
  CANDSAMP_DEVICE WeightedClass Choose(const RandomDraw& draw) const {
    const uint64_t id = ColumnDraw(static_cast<uint32_t>(draw.bits), column_range);
    return ChooseOfColumn(columns[id], id, static_cast<uint32_t>(draw.more));
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    const float weight = columns[id].weight;
    return CanBeDrawn(weight) ? weight * inverse_total : 0.0;
  }
  CANDSAMP_DEVICE float Count(int64_t id, double factor) const {
    return static_cast<float>(Probability(id) * factor);
  }

  int64_t range;
  int64_t can_be_drawn;
  double inverse_total;
  ColumnRange column_range;
  const AliasColumn* columns;
};

// What is known of counts that a device keeps; the device alone knows it.
struct SlotState {
  int64_t total;     // of counts, each and one
  int64_t slots;     // full ones
  int64_t capacity;  // for how many the table is made
  uint64_t salt;
  SlotBlocks blocks;
  uint64_t most;  // places that are taken of a block
  SlotTable table;
  // Of an update that is under way:
  uint64_t counted;     // how many classes
  uint64_t filled;      // how many slots became full
  uint64_t heavy;       // how many classes have many slots
  uint64_t overflowed;  // whether a block has no place left
};

struct LearnedUnigramView {
  static constexpr bool kRejects = false;

  LearnedUnigramView(int64_t range, const int64_t* counts, const SlotState* state)
      : range(range), counts(counts), state(state) {}

  CANDSAMP_METHOD int64_t support() const { return range; }
  CANDSAMP_DEVICE PhiloxStream Start(const PhiloxStream& stream) const { return Child(stream, 0); }
  template <typename Emit>
  CANDSAMP_DEVICE void Feed(uint64_t block, const PhiloxBlock& random, Carry*, Emit emit) const {
    FeedPieces(block, random, emit);
  }
  CANDSAMP_DEVICE int64_t Class(const PhiloxStream& stream, const RandomDraw& draw) const {
    SlotTable table = state->table;
    table.counts = counts;  // which may have moved
    return LearnedUnigramDraw(table, stream, draw.more, draw.bits);
  }
  CANDSAMP_DEVICE ClassAndCount Sample(const PhiloxStream& stream, const RandomDraw& draw,
                                       double factor) const {
    const int64_t id = Class(stream, draw);
    return {id, Count(id, factor)};
  }
  CANDSAMP_DEVICE double Probability(int64_t id) const {
    return ProbabilityOfCount(counts[id], 1.0 / static_cast<double>(state->total));
  }
  CANDSAMP_DEVICE float Count(int64_t id, double factor) const {
    return static_cast<float>(Probability(id) * factor);
  }

  int64_t range;
  const int64_t* counts;
  const SlotState* state;
};

// What feeding some bits does, for either way to begin: holding a fraction, or not.
struct Transition {
  uint32_t emitted[2];
  Carry end[2];
  bool keeps;  // whether the fraction held at the beginning is held at the end
};

CANDSAMP_FORMULA Transition NoTransition() { return {{0, 0}, {{0, 0}, {1, 0}}, true}; }

CANDSAMP_FORMULA Carry After(const Transition& transition, const Carry& carry) {
  return carry.holds && transition.keeps ? carry : transition.end[carry.holds];
}

struct Compose {
  CANDSAMP_DEVICE Transition operator()(const Transition& first, const Transition& second) const {
    Transition both;
    for (int k = 0; k < 2; ++k) {
      const Carry between = first.end[k];
      both.emitted[k] = first.emitted[k] + second.emitted[between.holds];
      both.end[k] = After(second, between);
    }
    both.keeps = first.keeps && second.keeps;
    return both;
  }
};

// REQUIRES: blocks `first` to `first + count` of the stream, in `random`.
template <typename View>
CANDSAMP_DEVICE Transition TransitionOf(const View& view, uint64_t first, const PhiloxBlock* random,
                                        int64_t count) {
  Transition transition = NoTransition();
  for (int k = 0; k < 2; ++k) {
    for (int64_t j = 0; j < count; ++j) {
      view.Feed(first + j, random[j], &transition.end[k],
                [&](const RandomDraw&) { ++transition.emitted[k]; });
    }
  }
  transition.keeps = transition.end[1].holds && transition.emitted[1] == 0;
  return transition;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DISTRIBUTIONS_H_
