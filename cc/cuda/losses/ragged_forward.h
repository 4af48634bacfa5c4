// SPDX-License-Identifier: Apache-2.0
// The forward pass of the ragged losses on a device, and the scores of candidates: the twin of
// cc/lib/losses/ragged_forward.h.
//
//  1. A lane group takes a chunk of a row: its logits, then exponentials relative to the chunk's
//     largest logit (or sigmoids), and the weighted sum of the class rows, which are in the L1 or
//     L2 cache by now. Each row comes from the device's memory once.
//  2. A block merges the chunks of a row, in order, into the loss and the gradient of the input.
//  3. Logits become their gradients.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_

#include "cc/cuda/losses/ragged_rows.h"
#include "cc/cuda/losses/sampled_segments.h"
#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/cuda/rows/unit_rows.h"
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

// Scores alone: logits[k] of each candidate, and with a softcap their slopes.
template <typename T, typename W>
struct DeviceRaggedLogits {
  using A = Accumulator<W>;

  DeviceRaggedBatch batch;  // without labels
  LogitOptions options;
  int64_t depth;
  const T* inputs;
  DeviceRowTable<W> weights, biases;
  T* logits;  // [num_candidates]
  A* slopes;  // with a softcap [num_candidates], else nullptr
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

// The logits of a row's classes.
template <typename T, typename W>
struct RaggedLogitsOfRow {
  using A = Accumulator<W>;
  static constexpr int kPack = kPackOf<W>;

  LogitOptions options;
  int64_t depth;
  const T* inputs;
  DeviceRowTable<W> weights, biases;
  bool in_packs;

  struct Logit {
    A z;
    A slope;  // of the softcap
  };

  static constexpr int kTogether = 4;  // classes whose rows are on their way at a time

  // The dot products of an input with the rows of classes; 0 for no row. So many `lanes`, side by
  // side, share the columns, and all of those get the products.
  template <typename Block>
  CANDSAMP_DEVICE void Dots(Block& block, int lanes, int64_t row, const int64_t* ids,
                            A* dots) const {
    const W* rows[kTogether];
    CANDSAMP_UNROLL
    for (int j = 0; j < kTogether; ++j) {
      rows[j] = weights.Row(ids[j]);
      dots[j] = A(0);
    }
    if (in_packs) {
      LaneDots<kPack>(block.lane() % lanes, lanes, inputs + row * depth, rows, dots);
    } else {
      LaneDots<1>(block.lane() % lanes, lanes, inputs + row * depth, rows, dots);
    }
    CANDSAMP_UNROLL
    for (int j = 0; j < kTogether; ++j) dots[j] = block.SumOfLanes(dots[j], 1, lanes);
  }

  // `dot` is that of the scaled input and class row.
  CANDSAMP_DEVICE Logit Of(A dot, A bias, A log_q) const {
    if (options.softcap == 0) return {dot - log_q + bias, A(1)};
    Logit logit;
    const A cap = static_cast<A>(options.softcap);
    const A capped = Softcap(dot + BiasUnderSoftcap(bias), cap, &logit.slope);
    logit.z = IsMask(bias) ? bias : capped - log_q;
    return logit;
  }

  // The inverse norm of the input, or 1, over the temperature.
  template <typename Block>
  CANDSAMP_DEVICE A OfInput(Block& block, int64_t row) const {
    const A factor = static_cast<A>(1 / options.temperature);
    if (!options.normalize) return factor;
    return factor * static_cast<A>(InverseNormOfLanes(block, inputs + row * depth, depth));
  }

 private:
  template <int kSize>
  CANDSAMP_DEVICE void LaneDots(int lane, int lanes, const T* input, const W* const* rows,
                                A* dots) const {
    for (int64_t d = lane * kSize; d < depth; d += lanes * kSize) {
      const auto x = Pack<T, kSize>::Load(input + d);
      Pack<W, kSize> w[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        w[j] = rows[j] == nullptr ? Pack<W, kSize>{} : Pack<W, kSize>::Load(rows[j] + d);
      }
      CANDSAMP_UNROLL
      for (int v = 0; v < kSize; ++v) {
        const A of_input = static_cast<A>(Widen(x.values[v]));
        CANDSAMP_UNROLL
        for (int j = 0; j < kTogether; ++j) {
          dots[j] = MulAdd(of_input, static_cast<A>(Widen(w[j].values[v])), dots[j]);
        }
      }
    }
  }
};

// Step 1. Logits (softmax) or their gradients (NCE) go where gradients of logits go. Short rows
// leave no lane idle: kSideBySide of them are read side by side, each by a part of the lanes.
// REQUIRES: kSideBySide is 1 if rows are divided by their norms.
template <typename T, typename W, int kSideBySide>
struct RaggedChunksKernel {
  using A = Accumulator<W>;
  static constexpr int kPack = kPackOf<W>;
  static constexpr int kBatch = 4;  // rows on their way at a time
  // Of each lane group, what it shares of a chunk.
  static constexpr int kSharedWords = kMostLaneGroups * kChunk * (8 + 3 * sizeof(A)) / 4;

  DeviceRaggedForward<T, W> f;
  RaggedLogitsOfRow<T, W> logits;
  const int64_t* chunk_rows;  // [chunks]
  RaggedPart<A>* parts;       // [chunks]
  A* sums;                    // [chunks, depth]
  A* cap_slopes;              // with a softcap [labels, then candidates]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    Shared shared;
    shared.ids = reinterpret_cast<int64_t*>(block.words()) + block.lane_group() * kChunk;
    A* const values =
        reinterpret_cast<A*>(reinterpret_cast<int64_t*>(block.words()) + kMostLaneGroups * kChunk);
    shared.dots = values + 3 * block.lane_group() * kChunk;
    shared.z = shared.dots + kChunk;
    shared.coefficients = shared.z + kChunk;
    const DeviceRaggedBatch& batch = f.batch;
    for (int64_t c = GridLaneGroup(block); c < batch.num_chunks; c += GridLaneGroups(block)) {
      const int64_t row = chunk_rows[c];
      const int64_t begin = (c - batch.first_chunks[row]) * kChunk;
      const int64_t count = Least(kChunk, batch.Classes(row) - begin);
      LoadClasses(block, row, begin, count, shared);
      block.SyncLanes();
      WriteDots(block, row, count, shared);
      block.SyncLanes();
      WriteLogits(block, row, begin, count, shared);
      const int64_t labels = Most(0, Least(count, batch.Labels(row) - begin));
      Reduce(block, c, row, count, labels, shared);
      block.SyncLanes();
      if (logits.in_packs) {
        SumRows<kPack>(block, c, count, shared);
      } else {
        SumRows<1>(block, c, count, shared);
      }
      block.SyncLanes();
    }
  }

 private:
  // Of each class of a chunk; but for ids and dots, only its lane reads them before Reduce.
  struct Shared {
    int64_t* ids;     // kDropped for an accidental hit
    A* dots;          // of the scaled input and class row
    A* z;             // the bias, then the logit
    A* coefficients;  // of the class row in the weighted sum, first without the logit's part
  };

  static constexpr int64_t kDropped = INT64_MIN;  // no class

  // Class k of a chunk that begins at class `begin` of its row, in the batch: which label or
  // candidate it is.
  struct Place {
    bool is_label;
    int64_t at;
  };
  CANDSAMP_DEVICE Place PlaceOf(int64_t row, int64_t k) const {
    const int64_t labels = f.batch.Labels(row);
    if (k < labels) return {true, f.batch.label_splits[row] + k};
    return {false, f.batch.candidate_splits[row] + k - labels};
  }

  // Each lane looks classes up, so that they are on their way together.
  template <typename Block>
  CANDSAMP_DEVICE void LoadClasses(const Block& block, int64_t row, int64_t begin, int64_t count,
                                   const Shared& shared) const {
    for (int64_t k = block.lane(); k < count; k += block.lanes()) {
      const Place place = PlaceOf(row, begin + k);
      const int64_t id = (place.is_label ? f.batch.labels : f.batch.candidates)[place.at];
      const bool drops = f.remove_accidental_hits && !place.is_label && IsLabel(row, id);
      shared.ids[k] = drops ? kDropped : id;
      shared.z[k] = BiasOf(f.biases, id);
    }
  }

  CANDSAMP_DEVICE bool IsLabel(int64_t row, int64_t id) const {
    for (int64_t k = f.batch.label_splits[row]; k < f.batch.label_splits[row + 1]; ++k) {
      if (f.batch.labels[k] == id) return true;
    }
    return false;
  }

  template <typename Block>
  CANDSAMP_DEVICE void WriteDots(Block& block, int64_t row, int64_t count,
                                 const Shared& shared) const {
    constexpr int kTogether = RaggedLogitsOfRow<T, W>::kTogether;
    const A of_input = logits.OfInput(block, row);
    const int lanes = LanesOfRow(block), side_by_side = block.lanes() / lanes;
    for (int64_t k0 = block.lane() / lanes; k0 - block.lane() / lanes < count;
         k0 += kTogether * side_by_side) {
      int64_t ids[kTogether];
      A dots[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        const int64_t k = k0 + j * side_by_side;
        ids[j] = k < count ? shared.ids[k] : kDropped;
      }
      logits.Dots(block, lanes, row, ids, dots);
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        const int64_t k = k0 + j * side_by_side;
        A inverse_norm = A(1);
        if (logits.options.normalize) {
          inverse_norm = InverseNormOfLanes(block, f.weights.Row(ids[j]), f.depth);
        }
        if (k >= count || block.lane() % lanes != 0) continue;
        shared.dots[k] = dots[j] * of_input * inverse_norm;
        shared.coefficients[k] = inverse_norm;
      }
    }
  }

  // How many lanes share a class row.
  template <typename Block>
  static CANDSAMP_DEVICE int LanesOfRow(const Block& block) {
    return block.lanes() < kSideBySide ? 1 : block.lanes() / kSideBySide;
  }

  // Each lane finishes the logits of its classes.
  template <typename Block>
  CANDSAMP_DEVICE void WriteLogits(const Block& block, int64_t row, int64_t begin, int64_t count,
                                   const Shared& shared) const {
    for (int64_t k = block.lane(); k < count; k += block.lanes()) {
      const Place place = PlaceOf(row, begin + k);
      const float* const log_q = place.is_label ? f.label_log_q : f.candidate_log_q;
      auto logit = logits.Of(shared.dots[k], shared.z[k],
                             log_q == nullptr ? A(0) : static_cast<A>(log_q[place.at]));
      if (shared.ids[k] == kDropped) logit = {MinusInfinity<A>(), A(1)};
      shared.z[k] = logit.z;
      shared.coefficients[k] *= shared.ids[k] == kDropped ? A(0) : logit.slope;
      A* const grad = place.is_label ? f.label_logit_grad : f.candidate_logit_grad;
      grad[place.at] = f.kind == LossKind::kSoftmax ? logit.z : Sigmoid(logit.z);
      if (cap_slopes == nullptr) continue;
      cap_slopes[place.is_label ? place.at : f.batch.num_labels + place.at] = logit.slope;
    }
  }

  // From logits to coefficients of class rows, by one lane group.
  template <typename Block>
  CANDSAMP_DEVICE void Reduce(Block& block, int64_t chunk, int64_t row, int64_t count,
                              int64_t labels, const Shared& shared) const {
    const bool softmax = f.kind == LossKind::kSoftmax;
    A max = MinusInfinity<A>(), largest_label = max, label_logits = A(0);
    for (int64_t k = block.lane(); k < count; k += block.lanes()) {
      const A z = shared.z[k];
      max = z > max ? z : max;
      if (k >= labels) continue;
      label_logits += z;
      largest_label = z > largest_label ? z : largest_label;
    }
    max = block.LargestOfLanes(max);
    const A reference = ReferenceOf(max);
    const A target = A(1) / static_cast<A>(Most(1, f.batch.Labels(row)));
    A sum = A(0), exps = A(0);
    for (int64_t k = block.lane(); k < count; k += block.lanes()) {
      const A z = shared.z[k];
      const A e = ExpNonPositive(z - reference);
      exps += e;
      if (softmax) {
        shared.coefficients[k] *= e;
      } else {
        // The logit of a dropped candidate is minus infinity, which adds nothing.
        sum += k < labels ? SigmoidCrossEntropy(z, target) : Softplus(z);
        shared.coefficients[k] *= Sigmoid(z);
      }
    }
    exps = block.SumOfLanes(exps);
    sum = softmax ? exps : block.SumOfLanes(sum);
    label_logits = block.SumOfLanes(label_logits);
    largest_label = block.LargestOfLanes(largest_label);
    if (block.lane() == 0) parts[chunk] = {max, sum, label_logits, largest_label, max, exps};
  }

  template <int kSize, typename Block>
  CANDSAMP_DEVICE void SumRows(Block& block, int64_t chunk, int64_t count,
                               const Shared& shared) const {
    const int lanes = LanesOfRow(block), side_by_side = block.lanes() / lanes;
    const int lane = block.lane() % lanes, side = block.lane() / lanes;
    for (int64_t first = 0; first < f.depth; first += lanes * kSize) {
      const int64_t d = first + lane * kSize;
      Pack<A, kSize> sum = {};
      for (int64_t k0 = side; k0 < count && d < f.depth; k0 += kBatch * side_by_side) {
        Pack<W, kSize> values[kBatch];
        A coefficients[kBatch];
        CANDSAMP_UNROLL
        for (int j = 0; j < kBatch; ++j) {
          const int64_t k = k0 + j * side_by_side;
          const W* const row = k < count ? f.weights.Row(shared.ids[k]) : nullptr;
          coefficients[j] = row == nullptr ? A(0) : shared.coefficients[k];
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
      CANDSAMP_UNROLL
      for (int v = 0; v < kSize; ++v) {
        sum.values[v] = block.SumOfLanes(sum.values[v], lanes, block.lanes());
      }
      if (side == 0 && d < f.depth) sum.Store(sums + chunk * f.depth + d);
    }
  }
};

// Step 2.
template <typename T, typename W>
struct RaggedMergeKernel {
  using A = Accumulator<W>;
  static constexpr int kSharedWords = 2 * kMostLaneGroups * 32 * sizeof(A) / 4;

  DeviceRaggedForward<T, W> f;
  const RaggedPart<A>* parts;
  const A* sums;
  A* maxima;    // [rows], what step 3 subtracts from logits
  A* divisors;  // [rows], and divides by

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = block.block(); row < f.batch.rows; row += block.blocks()) {
      const RaggedPart<A> part = Merged(block, row);
      const bool softmax = f.kind == LossKind::kSoftmax;
      // It is at least 1 unless all classes are masked. Then the loss is infinite, but gradients
      // are finite.
      const A divisor = softmax && part.sum != A(0) ? part.sum : A(1);
      SumChunks(block, row, ReferenceOf(part.max), divisor);
      if (block.thread() == 0) Write(row, part, divisor);
    }
  }

 private:
  // The chunks of a row in one part, to all threads.
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

  // Threads share columns and, where those are fewer than threads, chunks.
  template <typename Block>
  CANDSAMP_DEVICE void SumChunks(Block& block, int64_t row, A reference, A divisor) const {
    A* const factors = reinterpret_cast<A*>(block.words());
    A* const shared = factors + block.threads();
    const int64_t begin = f.batch.first_chunks[row];
    const int64_t chunks = f.batch.first_chunks[row + 1] - begin;
    const int64_t width = Least(Most(1, f.depth), block.threads());
    const int64_t shares = block.threads() / width, share = block.thread() / width;
    for (int64_t first = 0; first < f.depth; first += width) {
      const int64_t d = first + block.thread() % width;
      const bool sums_up = share < shares && d < f.depth;
      A sum = A(0);
      for (int64_t tile = begin; tile < begin + chunks; tile += block.threads()) {
        const int64_t count = Least(block.threads(), begin + chunks - tile);
        if (block.thread() < count) {
          factors[block.thread()] =
              f.kind == LossKind::kSoftmax
                  ? exp(parts[tile + block.thread()].max - reference) / divisor
                  : A(1);
        }
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

// Takes the targets of labels off the gradients of inputs.
template <typename T, typename W>
struct RaggedTargetsKernel {
  using A = Accumulator<W>;

  DeviceRaggedForward<T, W> f;
  const A* cap_slopes;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t row = GridLaneGroup(block); row < f.batch.rows; row += GridLaneGroups(block)) {
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

template <typename T, typename W>
bool RaggedInPacks(const T* inputs, const DeviceRowTable<W>& weights) {
  return RowsInPacks(weights) && InPacks<kPackOf<W>>(inputs, weights.depth);
}

template <typename T, typename W, typename Launcher>
int RaggedForwardOn(Launcher launcher, DeviceRuntime& runtime, const DeviceRaggedForward<T, W>& f) {
  using A = Accumulator<W>;
  const DeviceRaggedBatch& batch = f.batch;
  if (batch.rows == 0) return 0;
  int64_t* const chunk_rows = runtime.Allocate<int64_t>(batch.num_chunks);
  RaggedPart<A>* const parts = runtime.Allocate<RaggedPart<A>>(batch.num_chunks);
  A* const sums = runtime.Allocate<A>(batch.num_chunks * f.depth);
  A* const maxima = runtime.Allocate<A>(batch.rows);
  A* const divisors = runtime.Allocate<A>(batch.rows);
  A* const cap_slopes = f.options.logit.softcap == 0
                            ? nullptr
                            : runtime.Allocate<A>(batch.num_labels + batch.num_candidates);
  if (runtime.error() != 0) return runtime.error();
  const RaggedLogitsOfRow<T, W> logits = {
      f.options.logit, f.depth, f.inputs, f.weights, f.biases, RaggedInPacks(f.inputs, f.weights)};
  launcher.ForEach(batch.num_chunks, RowsOfChunksKernel{batch, chunk_rows});
  const auto reduce_chunks = [&](auto kernel) {
    kernel = {f, logits, chunk_rows, parts, sums, cap_slopes};
    launcher.ForEachLaneGroup(batch.num_chunks, kernel);
  };
  // How many packs a row has, of the 32 that the lanes of a device read at once.
  const int64_t packs = logits.in_packs ? f.depth / kPackOf<W> : f.depth;
  if (packs > 16 || f.options.logit.normalize) {
    reduce_chunks(RaggedChunksKernel<T, W, 1>{});
  } else if (packs > 8) {
    reduce_chunks(RaggedChunksKernel<T, W, 2>{});
  } else {
    reduce_chunks(RaggedChunksKernel<T, W, 4>{});
  }
  launcher.ForEachBlock(batch.rows, RaggedMergeKernel<T, W>{f, parts, sums, maxima, divisors});
  launcher.ForEachLaneGroup(batch.rows, RaggedTargetsKernel<T, W>{f, cap_slopes});
  launcher.ForEachLaneGroup(
      batch.num_chunks, RaggedLogitGradsKernel<T, W>{f, chunk_rows, maxima, divisors, cap_slopes});
  if (f.options.logit.normalize || f.options.logit.temperature != 1) {
    GradientsOfRows(launcher, f.inputs, f.unscaled_inputs_grad, batch.rows, f.depth,
                    f.options.logit.normalize, static_cast<A>(1 / f.options.logit.temperature),
                    f.unscaled_inputs_grad);
  }
  return launcher.error();
}

template <typename T, typename W>
struct RaggedScoresKernel {
  using A = Accumulator<W>;

  DeviceRaggedLogits<T, W> r;
  RaggedLogitsOfRow<T, W> logits;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const DeviceRaggedBatch& batch = r.batch;
    for (int64_t k = GridLaneGroup(block); k < batch.num_candidates; k += GridLaneGroups(block)) {
      constexpr int kTogether = RaggedLogitsOfRow<T, W>::kTogether;
      const int64_t row = RowAt(batch.candidate_splits, batch.rows, k);
      int64_t ids[kTogether];
      A dots[kTogether];
      CANDSAMP_UNROLL
      for (int j = 0; j < kTogether; ++j) ids[j] = j == 0 ? batch.candidates[k] : -1;
      logits.Dots(block, block.lanes(), row, ids, dots);
      A dot = dots[0] * logits.OfInput(block, row);
      if (r.options.normalize) dot *= InverseNormOfLanes(block, r.weights.Row(ids[0]), r.depth);
      const auto logit = logits.Of(dot, BiasOf(r.biases, ids[0]), A(0));
      if (block.lane() != 0) continue;
      Narrow(logit.z, &r.logits[k]);
      if (r.slopes != nullptr) r.slopes[k] = logit.slope;
    }
  }
};

template <typename T, typename W, typename Launcher>
int RaggedLogitsOn(Launcher launcher, const DeviceRaggedLogits<T, W>& r) {
  const RaggedLogitsOfRow<T, W> logits = {r.options, r.depth,  r.inputs,
                                          r.weights, r.biases, RaggedInPacks(r.inputs, r.weights)};
  launcher.ForEachLaneGroup(r.batch.num_candidates, RaggedScoresKernel<T, W>{r, logits});
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_
