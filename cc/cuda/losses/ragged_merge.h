// SPDX-License-Identifier: Apache-2.0
// The end of the ragged forward pass: from the chunks of rows to losses and gradients.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_MERGE_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_MERGE_H_

#include "cc/cuda/losses/ragged_chunks.h"

namespace candsamp {

// Step 2. A lane group merges the chunks of a row; of a row that has many, a block does.
template <typename T, typename W>
struct RaggedMergeKernel {
  using A = Accumulator<W>;
  static constexpr int64_t kMany = 16;
  static constexpr int kSharedWords = 2 * kMostLaneGroups * 32 * sizeof(A) / 4;

  DeviceRaggedForward<T, W> f;
  const RaggedPart<A>* parts;
  const A* sums;
  const A* cap_slopes;  // of labels, or nullptr
  bool in_packs;        // whether sums and gradients of inputs may be read in packs
  A* maxima;            // [rows], what step 3 subtracts from logits
  A* divisors;          // [rows], and divides by

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t rows = f.batch.rows, groups = block.lane_groups();
    for (int64_t first = block.block() * groups; first < rows; first += block.blocks() * groups) {
      const int64_t own = first + block.lane_group();
      if (own < rows && Chunks(own) <= kMany) {
        Merge(block, own, [&](A reference, A divisor) {
          A* const factors = Factors(block) + block.lane_group() * kMany;
          WriteFactors(block.lane(), block.lanes(), f.batch.first_chunks[own], Chunks(own),
                       reference, divisor, factors);
          block.SyncLanes();
          if (in_packs) {
            SumChunks<kPackOf<A>>(block, own, factors);
          } else {
            SumChunks<1>(block, own, factors);
          }
          block.SyncLanes();
        });
      }
      for (int64_t row = first; row < Least(first + groups, rows); ++row) {
        if (Chunks(row) <= kMany) continue;
        Merge(block, row, [&](A reference, A divisor) {
          block.Sync();  // lane groups may still read their factors
          SumManyChunks(block, row, reference, divisor);
          block.Sync();
        });
      }
    }
  }

 private:
  CANDSAMP_DEVICE int64_t Chunks(int64_t row) const {
    return f.batch.first_chunks[row + 1] - f.batch.first_chunks[row];
  }
  template <typename Block>
  static CANDSAMP_DEVICE A* Factors(Block& block) {
    return reinterpret_cast<A*>(block.words());
  }

  // Merges a row, whose chunks sum_chunks(reference, divisor) sums up.
  template <typename Block, typename Use>
  CANDSAMP_DEVICE void Merge(Block& block, int64_t row, Use sum_chunks) const {
    const RaggedPart<A> part = Merged(block, row);
    // It is at least 1 unless all classes are masked. Then the loss is infinite, but gradients are
    // finite.
    const A divisor = f.kind == LossKind::kSoftmax && part.sum != A(0) ? part.sum : A(1);
    sum_chunks(ReferenceOf(part.max), divisor);
    if (Chunks(row) > kMany && block.lane_group() != 0) return;
    SubtractTargets(block, row);
    if (block.lane() == 0) Write(row, part, divisor);
  }

  // The chunks of a row in one part, to all lanes.
  template <typename Block>
  CANDSAMP_DEVICE RaggedPart<A> Merged(Block& block, int64_t row) const {
    const int64_t first = f.batch.first_chunks[row], end = f.batch.first_chunks[row + 1];
    const auto larger = [](A a, A b) { return b > a ? b : a; };
    RaggedPart<A> merged = {MinusInfinity<A>(), A(0), A(0), MinusInfinity<A>(),
                            MinusInfinity<A>(), A(0)};
    for (int64_t c = first + block.lane(); c < end; c += block.lanes()) {
      merged.max = larger(merged.max, parts[c].max);
      merged.largest_label = larger(merged.largest_label, parts[c].largest_label);
    }
    merged.max = block.LargestOfLanes(merged.max);
    merged.largest = merged.max;
    merged.largest_label = block.LargestOfLanes(merged.largest_label);
    const A reference = ReferenceOf(merged.max);
    for (int64_t c = first + block.lane(); c < end; c += block.lanes()) {
      const A factor = exp(parts[c].max - reference);
      merged.exps += factor * parts[c].exps;
      merged.sum += f.kind == LossKind::kSoftmax ? factor * parts[c].sum : parts[c].sum;
      merged.label_logits += parts[c].label_logits;
    }
    merged.exps = block.SumOfLanes(merged.exps);
    merged.sum = block.SumOfLanes(merged.sum);
    merged.label_logits = block.SumOfLanes(merged.label_logits);
    return merged;
  }

  // Writes the factors of the sums of chunks, of which `each` threads have a share.
  CANDSAMP_DEVICE void WriteFactors(int64_t share, int64_t each, int64_t first, int64_t count,
                                    A reference, A divisor, A* factors) const {
    for (int64_t c = share; c < count; c += each) {
      factors[c] =
          f.kind == LossKind::kSoftmax ? exp(parts[first + c].max - reference) / divisor : A(1);
    }
  }

  template <int kSize, typename Block>
  CANDSAMP_DEVICE void SumChunks(const Block& block, int64_t row, const A* factors) const {
    constexpr int kBatch = 4;  // on their way at a time
    const A* const of_row = sums + f.batch.first_chunks[row] * f.depth;
    const int64_t chunks = Chunks(row);
    for (int64_t d = block.lane() * kSize; d < f.depth; d += block.lanes() * kSize) {
      Pack<A, kSize> sum = {};
      for (int64_t first = 0; first < chunks; first += kBatch) {
        Pack<A, kSize> batch[kBatch];
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          batch[j] = first + j < chunks ? Pack<A, kSize>::Load(of_row + (first + j) * f.depth + d)
                                        : Pack<A, kSize>{};
        }
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          const A factor = first + j < chunks ? factors[first + j] : A(0);
          CANDSAMP_UNROLL
          for (int v = 0; v < kSize; ++v) {
            sum.values[v] = MulAdd(factor, batch[j].values[v], sum.values[v]);
          }
        }
      }
      sum.Store(f.unscaled_inputs_grad + row * f.depth + d);
    }
  }

  // Threads share columns and, where those are fewer than threads, chunks.
  template <typename Block>
  CANDSAMP_DEVICE void SumManyChunks(Block& block, int64_t row, A reference, A divisor) const {
    A* const factors = Factors(block);
    A* const shared = factors + block.threads();
    const int64_t begin = f.batch.first_chunks[row];
    const int64_t chunks = Chunks(row);
    const int64_t width = Least(Most(1, f.depth), block.threads());
    const int64_t shares = block.threads() / width, share = block.thread() / width;
    for (int64_t first = 0; first < f.depth; first += width) {
      const int64_t d = first + block.thread() % width;
      const bool sums_up = share < shares && d < f.depth;
      A sum = A(0);
      for (int64_t tile = begin; tile < begin + chunks; tile += block.threads()) {
        const int64_t count = Least(block.threads(), begin + chunks - tile);
        WriteFactors(block.thread(), block.threads(), tile, count, reference, divisor, factors);
        block.Sync();
        for (int64_t c = share; sums_up && c < count; c += shares) {
          sum = MulAdd(factors[c], sums[(tile + c) * f.depth + d], sum);
        }
        block.Sync();
      }
      if (shares > 1) {
        shared[block.thread()] = sum;
        block.Sync();
        for (int64_t s = 1; share == 0 && s < shares; ++s) {
          sum += shared[s * width + block.thread()];
        }
      }
      if (share == 0 && d < f.depth) f.unscaled_inputs_grad[row * f.depth + d] = sum;
    }
  }

  // Takes the targets of labels off the gradient of the input.
  template <typename Block>
  CANDSAMP_DEVICE void SubtractTargets(Block& block, int64_t row) const {
    const A target = A(1) / static_cast<A>(Most(1, f.batch.Labels(row)));
    A* const grad = f.unscaled_inputs_grad + row * f.depth;
    for (int64_t k = f.batch.label_splits[row]; k < f.batch.label_splits[row + 1]; ++k) {
      const W* const class_row = f.weights.Row(f.batch.labels[k]);
      if (class_row == nullptr) continue;
      A coefficient = -target;
      if (cap_slopes != nullptr) coefficient *= cap_slopes[k];
      if (f.options.logit.normalize) {
        coefficient *= InverseNormOfLanes(block, class_row, f.depth);
      }
      for (int64_t d = block.lane(); d < f.depth; d += block.lanes()) {
        grad[d] = MulAdd(coefficient, static_cast<A>(Widen(class_row[d])), grad[d]);
      }
    }
  }

  CANDSAMP_DEVICE void Write(int64_t row, const RaggedPart<A>& part, A divisor) const {
    const bool softmax = f.kind == LossKind::kSoftmax;
    const A labels = static_cast<A>(f.batch.Labels(row));
    const A loss =
        softmax ? log(divisor) - (part.label_logits / labels - ReferenceOf(part.max)) : part.sum;
    f.loss[row] = loss;
    maxima[row] = ReferenceOf(part.max);
    divisors[row] = divisor;
    if (!f.options.stats) return;
    f.log_sum_exp[row] = ReferenceOf(part.largest) + log(part.exps);
    f.label_is_top[row] = part.largest_label > MinusInfinity<A>() &&
                          part.largest_label >= part.largest && loss == loss;
  }
};

// Step 3.
template <typename T, typename W>
struct RaggedLogitGradsKernel {
  using A = Accumulator<W>;

  DeviceRaggedForward<T, W> f;
  const int64_t* chunk_rows;
  const A *maxima, *divisors, *cap_slopes;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const DeviceRaggedBatch& batch = f.batch;
    for (int64_t c = GridLaneGroup(block); c < batch.num_chunks; c += GridLaneGroups(block)) {
      const int64_t row = chunk_rows[c];
      const int64_t begin = (c - batch.first_chunks[row]) * kChunk;
      const int64_t end = Least(begin + kChunk, batch.Classes(row)), labels = batch.Labels(row);
      const A target = A(1) / static_cast<A>(Most(1, labels));
      for (int64_t k = begin + block.lane(); k < end; k += block.lanes()) {
        const bool is_label = k < labels;
        const int64_t at =
            is_label ? batch.label_splits[row] + k : batch.candidate_splits[row] + k - labels;
        A* const grad = (is_label ? f.label_logit_grad : f.candidate_logit_grad) + at;
        A g = *grad;
        if (f.kind == LossKind::kSoftmax) g = ExpNonPositive(g - maxima[row]) / divisors[row];
        if (is_label) g -= target;
        if (cap_slopes != nullptr) g *= cap_slopes[is_label ? at : batch.num_labels + at];
        *grad = g;
      }
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_MERGE_H_
