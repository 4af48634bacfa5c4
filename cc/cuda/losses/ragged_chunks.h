// SPDX-License-Identifier: Apache-2.0
// The forward pass of the ragged losses, and its step 1: a lane group takes a chunk of a row, its
// logits, then exponentials relative to the largest of them (or sigmoids), and the weighted sum of
// the class rows. Each row comes from the device's memory once.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_CHUNKS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_CHUNKS_H_

#include "cc/cuda/losses/ragged_logits.h"
#include "cc/cuda/losses/sampled_segments.h"
#include "cc/lib/losses/loss_kind.h"

namespace candsamp {

template <typename T, typename W>
struct DeviceRaggedForward {
  using A = Accumulator<W>;

  DeviceRaggedBatch batch;
  LossKind kind;
  bool remove_accidental_hits;
  LossOptions options;
  int64_t depth;
  const T* inputs;  // [rows, depth]
  DeviceRowTable<W> weights, biases;
  const float* label_log_q;      // [num_labels], or nullptr
  const float* candidate_log_q;  // [num_candidates], or nullptr

  A* loss;                  // [rows]
  A* label_logit_grad;      // [num_labels]
  A* candidate_logit_grad;  // [num_candidates]
  A* unscaled_inputs_grad;  // [rows, depth]
  A* log_sum_exp;           // with stats [rows]
  bool* label_is_top;       // likewise
};

// The results of a chunk beside its weighted sum.
template <typename A>
struct RaggedPart {
  A max;            // softmax: the largest logit
  A sum;            // softmax: of exp(z - max); NCE: of the cross-entropies
  A label_logits;   // softmax: their sum
  A largest_label;  // for statistics
  A largest, exps;  // for statistics of NCE
};

// What the kernels of step 1 share: from the dot products of a chunk's classes to the coefficients
// of their rows. Logits (softmax) or their gradients (NCE) go where gradients of logits go.
template <typename T, typename W>
struct RaggedChunks {
  using A = Accumulator<W>;
  // Of each lane group, what it shares of a chunk.
  static constexpr int kSharedWords = kMostLaneGroups * kChunk * (12 + 3 * sizeof(A)) / 4;
  static constexpr int64_t kDropped = INT64_MIN;  // no class

  DeviceRaggedForward<T, W> f;
  RaggedLogitsOfRow<T, W> logits;
  const int64_t* chunk_rows;  // [chunks]
  RaggedPart<A>* parts;       // [chunks]
  A* sums;                    // [chunks, depth]
  A* cap_slopes;              // with a softcap [labels, then candidates]

  // A chunk, whose classes are numbered from 0, and what its lane group shares of each of them.
  struct Chunk {
    int64_t at;  // among all
    int64_t row;
    int64_t begin;          // the place of its first class in the row
    int64_t count, labels;  // its classes, and those of them that are labels
    int64_t* ids;           // kDropped for an accidental hit
    A* dots;                // of the scaled input and class row
    A* z;                   // the bias, then the logit
    A* coefficients;        // of the class row in the weighted sum, first without the logit's part
    float* log_q;
  };

  // Calls reduce(chunk) for each chunk of this lane group, whose classes are loaded.
  template <typename Block, typename Reduce>
  CANDSAMP_DEVICE void ForChunks(Block& block, Reduce reduce) const {
    const DeviceRaggedBatch& batch = f.batch;
    Chunk chunk;
    chunk.ids = reinterpret_cast<int64_t*>(block.words()) + block.lane_group() * kChunk;
    A* const values =
        reinterpret_cast<A*>(reinterpret_cast<int64_t*>(block.words()) + kMostLaneGroups * kChunk);
    chunk.dots = values + 3 * block.lane_group() * kChunk;
    chunk.z = chunk.dots + kChunk;
    chunk.coefficients = chunk.z + kChunk;
    chunk.log_q = reinterpret_cast<float*>(values + 3 * kMostLaneGroups * kChunk) +
                  block.lane_group() * kChunk;
    for (int64_t c = GridLaneGroup(block); c < batch.num_chunks; c += GridLaneGroups(block)) {
      chunk.at = c;
      chunk.row = chunk_rows[c];
      chunk.begin = (c - batch.first_chunks[chunk.row]) * kChunk;
      chunk.count = Least(kChunk, batch.Classes(chunk.row) - chunk.begin);
      chunk.labels = Most(0, Least(chunk.count, batch.Labels(chunk.row) - chunk.begin));
      LoadClasses(block, chunk);
      block.SyncLanes();
      reduce(chunk);
      block.SyncLanes();
    }
  }

  // The part of no class.
  static CANDSAMP_DEVICE RaggedPart<A> NoPart() {
    return {MinusInfinity<A>(), A(0), A(0), MinusInfinity<A>(), MinusInfinity<A>(), A(0)};
  }

  // Adds the classes from `first` to `end` to the part of those before: turns their dot products
  // into coefficients, relative to the largest logit by now. Returns the factor by which weighted
  // sums of the classes before come to be relative to it, too.
  template <typename Block>
  CANDSAMP_DEVICE A AddClasses(Block& block, const Chunk& chunk, int64_t first, int64_t end,
                               RaggedPart<A>* part) const {
    const bool softmax = f.kind == LossKind::kSoftmax;
    A max = part->max, largest_label = part->largest_label, label_logits = A(0);
    for (int64_t k = first + block.lane(); k < end; k += block.lanes()) {
      const A z = WriteLogit(chunk, k);
      max = z > max ? z : max;
      if (k >= chunk.labels) continue;
      label_logits += z;
      largest_label = z > largest_label ? z : largest_label;
    }
    max = block.LargestOfLanes(max);
    const A reference = ReferenceOf(max), factor = ExpNonPositive(part->max - reference);
    const A target = A(1) / static_cast<A>(Most(1, f.batch.Labels(chunk.row)));
    A sum = A(0), exps = A(0);
    for (int64_t k = first + block.lane(); k < end; k += block.lanes()) {
      const A z = chunk.z[k];
      const A e = ExpNonPositive(z - reference);
      exps += e;
      if (softmax) {
        chunk.coefficients[k] *= e;
      } else {
        // The logit of a dropped candidate is minus infinity, which adds nothing.
        sum += k < chunk.labels ? SigmoidCrossEntropy(z, target) : Softplus(z);
        chunk.coefficients[k] *= Sigmoid(z);
      }
    }
    part->max = part->largest = max;
    part->largest_label = block.LargestOfLanes(largest_label);
    part->label_logits += block.SumOfLanes(label_logits);
    part->exps = part->exps * factor + block.SumOfLanes(exps);
    part->sum = softmax ? part->exps : part->sum + block.SumOfLanes(sum);
    return softmax ? factor : A(1);
  }

 private:
  // Class k of a chunk in the batch: which label or candidate it is.
  struct Place {
    bool is_label;
    int64_t at;
  };
  CANDSAMP_DEVICE Place PlaceOf(const Chunk& chunk, int64_t k) const {
    if (k < chunk.labels) return {true, f.batch.label_splits[chunk.row] + chunk.begin + k};
    return {false,
            f.batch.candidate_splits[chunk.row] + chunk.begin + k - f.batch.Labels(chunk.row)};
  }

  // Each lane looks classes up, so that they are on their way together.
  template <typename Block>
  CANDSAMP_DEVICE void LoadClasses(const Block& block, const Chunk& chunk) const {
    for (int64_t k = block.lane(); k < chunk.count; k += block.lanes()) {
      const Place place = PlaceOf(chunk, k);
      const int64_t id = (place.is_label ? f.batch.labels : f.batch.candidates)[place.at];
      const bool drops = f.remove_accidental_hits && !place.is_label && IsLabel(chunk.row, id);
      chunk.ids[k] = drops ? kDropped : id;
      chunk.z[k] = BiasOf(f.biases, id);
      const float* const log_q = place.is_label ? f.label_log_q : f.candidate_log_q;
      chunk.log_q[k] = log_q == nullptr ? 0.0f : log_q[place.at];
    }
  }

  CANDSAMP_DEVICE bool IsLabel(int64_t row, int64_t id) const {
    for (int64_t k = f.batch.label_splits[row]; k < f.batch.label_splits[row + 1]; ++k) {
      if (f.batch.labels[k] == id) return true;
    }
    return false;
  }

  // Finishes the logit of a class.
  CANDSAMP_DEVICE A WriteLogit(const Chunk& chunk, int64_t k) const {
    const Place place = PlaceOf(chunk, k);
    auto logit = logits.Of(chunk.dots[k], chunk.z[k], static_cast<A>(chunk.log_q[k]));
    if (chunk.ids[k] == kDropped) logit = {MinusInfinity<A>(), A(1)};
    chunk.z[k] = logit.z;
    chunk.coefficients[k] *= chunk.ids[k] == kDropped ? A(0) : logit.slope;
    A* const grad = place.is_label ? f.label_logit_grad : f.candidate_logit_grad;
    grad[place.at] = f.kind == LossKind::kSoftmax ? logit.z : Sigmoid(logit.z);
    if (cap_slopes != nullptr) {
      cap_slopes[place.is_label ? place.at : f.batch.num_labels + place.at] = logit.slope;
    }
    return logit.z;
  }
};

// Step 1 of narrow rows, which lanes hold in registers from the dot products to the weighted sum:
// each is read once. kSideBySide rows are read side by side, each by a part of the lanes.
// REQUIRES: rows are read in packs, at most kMostPacks, and are not divided by their norms.
template <typename T, typename W, int kSideBySide>
struct RaggedNarrowChunksKernel {
  using A = Accumulator<W>;
  using Chunks = RaggedChunks<T, W>;
  using Chunk = typename Chunks::Chunk;
  static constexpr int kSharedWords = Chunks::kSharedWords;
  static constexpr int kPack = kPackOf<W>;
  static constexpr int kMostPacks = 32 / kSideBySide;  // one for each lane of a device's
  static constexpr int kHeld = 8;                      // rows that a lane holds packs of
  static constexpr int kLeastBlocks = 2;

  Chunks chunks;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    chunks.ForChunks(block, [&](const Chunk& chunk) {
      const Lanes<Block> lanes(block);
      const A of_input = chunks.logits.OfInput(block, chunk.row);
      const T* const input = chunks.f.inputs + chunk.row * chunks.f.depth;
      Pack<A, kPack> sum[kPacks<Block>] = {};
      RaggedPart<A> part = Chunks::NoPart();
      for (int64_t first = 0; first < chunk.count; first += kHeld * lanes.side_by_side) {
        Pack<W, kPack> rows[kHeld][kPacks<Block>];
        Load(lanes, chunk, first, rows);
        WriteDots(block, lanes, chunk, first, of_input, input, rows);
        block.SyncLanes();
        const int64_t end = Least(chunk.count, first + kHeld * lanes.side_by_side);
        const A factor = chunks.AddClasses(block, chunk, first, end, &part);
        block.SyncLanes();
        AddRows(lanes, chunk, first, factor, rows, sum);
      }
      CANDSAMP_UNROLL
      for (int p = 0; p < kPacks<Block>; ++p) {
        CANDSAMP_UNROLL
        for (int v = 0; v < kPack; ++v) {
          sum[p].values[v] = block.SumOfLanes(sum[p].values[v], lanes.of_row, block.lanes());
        }
        const int64_t d = lanes.Column(p);
        if (lanes.side == 0 && d < chunks.f.depth) {
          sum[p].Store(chunks.sums + chunk.at * chunks.f.depth + d);
        }
      }
      if (block.lane() == 0) chunks.parts[chunk.at] = part;
    });
  }

 private:
  // How the lanes share rows.
  template <typename Block>
  struct Lanes {
    int of_row, side_by_side;
    int side, lane;  // which of the rows side by side, and which lane of it

    CANDSAMP_DEVICE explicit Lanes(const Block& block)
        : of_row(block.lanes() < kSideBySide ? 1 : block.lanes() / kSideBySide),
          side_by_side(block.lanes() / of_row),
          side(block.lane() / of_row),
          lane(block.lane() % of_row) {}

    // Of pack p of a lane, the first column.
    CANDSAMP_DEVICE int64_t Column(int p) const { return (p * of_row + lane) * kPack; }
  };

  // How many packs of a row a lane has.
  template <typename Block>
  static constexpr int kPacks =
      Block::kLeastLanes < kSideBySide ? kMostPacks : kMostPacks * kSideBySide / Block::kLeastLanes;

  // Loads rows, side by side, from class `first` on: zeros behind the last one.
  template <typename Block>
  CANDSAMP_DEVICE void Load(const Lanes<Block>& lanes, const Chunk& chunk, int64_t first,
                            Pack<W, kPack> (*rows)[kPacks<Block>]) const {
    CANDSAMP_UNROLL
    for (int j = 0; j < kHeld; ++j) {
      const int64_t k = first + j * lanes.side_by_side + lanes.side;
      const W* const row = k < chunk.count ? chunks.f.weights.Row(chunk.ids[k]) : nullptr;
      CANDSAMP_UNROLL
      for (int p = 0; p < kPacks<Block>; ++p) {
        const int64_t d = lanes.Column(p);
        rows[j][p] = row == nullptr || d >= chunks.f.depth ? Pack<W, kPack>{}
                                                           : Pack<W, kPack>::Load(row + d);
      }
    }
  }

  template <typename Block>
  CANDSAMP_DEVICE void WriteDots(Block& block, const Lanes<Block>& lanes, const Chunk& chunk,
                                 int64_t first, A of_input, const T* input,
                                 const Pack<W, kPack> (*rows)[kPacks<Block>]) const {
    A dots[kHeld] = {};
    CANDSAMP_UNROLL
    for (int p = 0; p < kPacks<Block>; ++p) {
      const int64_t d = lanes.Column(p);
      if (d >= chunks.f.depth) continue;
      const auto x = Pack<T, kPack>::Load(input + d);
      CANDSAMP_UNROLL
      for (int v = 0; v < kPack; ++v) {
        const A of_column = static_cast<A>(Widen(x.values[v]));
        CANDSAMP_UNROLL
        for (int j = 0; j < kHeld; ++j) {
          dots[j] = MulAdd(of_column, static_cast<A>(Widen(rows[j][p].values[v])), dots[j]);
        }
      }
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kHeld; ++j) {
      const int64_t k = first + j * lanes.side_by_side + lanes.side;
      const A dot = block.SumOfLanes(dots[j], 1, lanes.of_row) * of_input;
      if (lanes.lane != 0 || k >= chunk.count) continue;
      chunk.dots[k] = dot;
      chunk.coefficients[k] = A(1);
    }
  }

  template <typename Block>
  CANDSAMP_DEVICE void AddRows(const Lanes<Block>& lanes, const Chunk& chunk, int64_t first,
                               A factor, const Pack<W, kPack> (*rows)[kPacks<Block>],
                               Pack<A, kPack>* sum) const {
    CANDSAMP_UNROLL
    for (int p = 0; p < kPacks<Block>; ++p) {
      CANDSAMP_UNROLL
      for (int v = 0; v < kPack; ++v) sum[p].values[v] *= factor;
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kHeld; ++j) {
      const int64_t k = first + j * lanes.side_by_side + lanes.side;
      const A coefficient = k < chunk.count ? chunk.coefficients[k] : A(0);
      CANDSAMP_UNROLL
      for (int p = 0; p < kPacks<Block>; ++p) {
        CANDSAMP_UNROLL
        for (int v = 0; v < kPack; ++v) {
          sum[p].values[v] =
              MulAdd(coefficient, static_cast<A>(Widen(rows[j][p].values[v])), sum[p].values[v]);
        }
      }
    }
  }
};

// Step 1 of any rows. A lane group reads a chunk's rows for their dot products, and again for the
// weighted sum, while they are in the L1 or L2 cache.
template <typename T, typename W>
struct RaggedChunksKernel {
  using A = Accumulator<W>;
  using Chunks = RaggedChunks<T, W>;
  using Chunk = typename Chunks::Chunk;
  static constexpr int kSharedWords = Chunks::kSharedWords;
  static constexpr int kPack = kPackOf<W>;
  static constexpr int kBatch = 4;  // rows on their way at a time

  Chunks chunks;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    chunks.ForChunks(block, [&](const Chunk& chunk) {
      WriteDots(block, chunk);
      block.SyncLanes();
      RaggedPart<A> part = Chunks::NoPart();
      chunks.AddClasses(block, chunk, 0, chunk.count, &part);
      block.SyncLanes();
      if (chunks.logits.in_packs) {
        SumRows<kPack>(block, chunk);
      } else {
        SumRows<1>(block, chunk);
      }
      if (block.lane() == 0) chunks.parts[chunk.at] = part;
    });
  }

 private:
  template <typename Block>
  CANDSAMP_DEVICE void WriteDots(Block& block, const Chunk& chunk) const {
    constexpr int kTogether = RaggedLogitsOfRow<T, W>::kTogether;
    const A of_input = chunks.logits.OfInput(block, chunk.row);
    for (int64_t first = 0; first < chunk.count; first += kTogether) {
      int64_t ids[kTogether];
      A dots[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        ids[j] = first + j < chunk.count ? chunk.ids[first + j] : Chunks::kDropped;
      }
      chunks.logits.Dots(block, chunk.row, ids, dots);
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        A inverse_norm = A(1);
        if (chunks.logits.options.normalize) {
          inverse_norm = InverseNormOfLanes(block, chunks.f.weights.Row(ids[j]), chunks.f.depth);
        }
        if (first + j >= chunk.count || block.lane() != 0) continue;
        chunk.dots[first + j] = dots[j] * of_input * inverse_norm;
        chunk.coefficients[first + j] = inverse_norm;
      }
    }
  }

  template <int kSize, typename Block>
  CANDSAMP_DEVICE void SumRows(Block& block, const Chunk& chunk) const {
    const int64_t depth = chunks.f.depth;
    for (int64_t d = block.lane() * kSize; d < depth; d += block.lanes() * kSize) {
      Pack<A, kSize> sum = {};
      for (int64_t first = 0; first < chunk.count; first += kBatch) {
        Pack<W, kSize> values[kBatch];
        A coefficients[kBatch];
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          const int64_t k = first + j;
          const W* const row = k < chunk.count ? chunks.f.weights.Row(chunk.ids[k]) : nullptr;
          coefficients[j] = row == nullptr ? A(0) : chunk.coefficients[k];
          values[j] = row == nullptr ? Pack<W, kSize>{} : Pack<W, kSize>::Load(row + d);
        }
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          CANDSAMP_UNROLL
          for (int v = 0; v < kSize; ++v) {
            sum.values[v] =
                MulAdd(coefficients[j], static_cast<A>(Widen(values[j].values[v])), sum.values[v]);
          }
        }
      }
      sum.Store(chunks.sums + chunk.at * depth + d);
    }
  }
};

// Launches step 1.
template <typename T, typename W, typename Launcher>
void LaunchRaggedChunks(Launcher& launcher, const RaggedChunks<T, W>& chunks) {
  const auto launch = [&](const auto& kernel) {
    launcher.ForEachLaneGroup(chunks.f.batch.num_chunks, kernel);
  };
  const int64_t packs = chunks.f.depth / kPackOf<W>;
  if (!chunks.logits.in_packs || packs > 32 || chunks.f.options.logit.normalize) {
    launch(RaggedChunksKernel<T, W>{chunks});
  } else if (packs > 16) {
    launch(RaggedNarrowChunksKernel<T, W, 1>{chunks});
  } else if (packs > 8) {
    launch(RaggedNarrowChunksKernel<T, W, 2>{chunks});
  } else {
    launch(RaggedNarrowChunksKernel<T, W, 4>{chunks});
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_CHUNKS_H_
