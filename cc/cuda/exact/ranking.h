// SPDX-License-Identifier: Apache-2.0
// Ranks of labels and the best classes on a device: the twin of cc/lib/exact/label_ranks.h and
// top_classes.h. The logits of some rows at a time are written whole.
#ifndef TF_CANDSAMP_CC_CUDA_EXACT_RANKING_H_
#define TF_CANDSAMP_CC_CUDA_EXACT_RANKING_H_

#include "cc/cuda/exact/scoring.h"
#include "cc/cuda/losses/ragged_rows.h"
#include "cc/lib/exact/class_order.h"

namespace candsamp {

// Classes that do not compete, row by row; none where ids is nullptr.
struct DeviceExcluded {
  const int64_t* ids;
  const int64_t* splits;       // [rows + 1], in the device's memory
  const int64_t* host_splits;  // the same in the host's
};

template <typename T, typename W>
struct DeviceRanking {
  DeviceScoring<T, W> scoring;
  DeviceExcluded excluded;
  const int64_t* labels;  // [rows, num_true]
  int64_t num_true;
  int64_t* ranks;  // [rows, num_true]
  int64_t logit_bytes = int64_t{128} << 20;
};

template <typename T, typename W>
struct DeviceTopClasses {
  DeviceScoring<T, W> scoring;
  DeviceExcluded excluded;
  int64_t k;
  Accumulator<W>* values;  // [rows, k]
  int64_t* indices;        // [rows, k]; -1, with a value of NaN, where too few classes compete
  int64_t logit_bytes = int64_t{128} << 20;
};

// The logits of all classes for some rows, before any softcap.
template <typename A>
struct RowLogits {
  A* values;
  int64_t stride, first_row, rows;

  CANDSAMP_METHOD A* Row(int64_t row) const { return values + (row - first_row) * stride; }
};

// Adds biases to dot products.
template <typename W>
struct AddBiasesKernel {
  RowLogits<Accumulator<W>> logits;
  DeviceRowTable<W> biases;
  int64_t num_classes;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < logits.rows * num_classes; k += GridSize(block)) {
      logits.values[k / num_classes * logits.stride + k % num_classes] +=
          BiasOf(biases, k % num_classes);
    }
  }
};

// A NaN that no arithmetic makes stands for a class that does not compete. Several threads may
// exclude the same class.
constexpr uint32_t kAbsentFloat = 0x7fa5a5a5;
constexpr uint64_t kAbsentDouble = 0x7ff5a5a5a5a5a5a5;
CANDSAMP_DEVICE inline void SetAbsent(float* logit) {
  AtomicStore(reinterpret_cast<uint32_t*>(logit), kAbsentFloat);
}
CANDSAMP_DEVICE inline void SetAbsent(double* logit) {
  AtomicStore(reinterpret_cast<uint64_t*>(logit), kAbsentDouble);
}
CANDSAMP_FORMULA bool IsAbsent(float logit) { return BitCast<uint32_t>(logit) == kAbsentFloat; }
CANDSAMP_FORMULA bool IsAbsent(double logit) { return BitCast<uint64_t>(logit) == kAbsentDouble; }

// Takes the logits of labels.
template <typename A>
struct TakeLabelLogitsKernel {
  RowLogits<A> logits;
  int64_t num_classes, num_true;
  const int64_t* labels;
  A* taken;  // [rows, num_true]

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = GridRank(block); k < logits.rows * num_true; k += GridSize(block)) {
      const int64_t at = logits.first_row * num_true + k, id = labels[at];
      taken[at] = id < 0 || id >= num_classes ? A(NAN) : logits.Row(at / num_true)[id];
    }
  }
};

template <typename A>
struct ExcludeKernel {
  RowLogits<A> logits;
  int64_t num_classes;
  DeviceExcluded excluded;
  int64_t begin, end;  // of the rows' ids

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t k = begin + GridRank(block); k < end; k += GridSize(block)) {
      const int64_t id = excluded.ids[k];
      const int64_t row =
          logits.first_row + RowAt(excluded.splits + logits.first_row, logits.rows, k);
      if (id >= 0 && id < num_classes) SetAbsent(&logits.Row(row)[id]);
    }
  }
};

// Counts the better classes of each label: a block has some columns of a row, and adds its count.
template <typename A>
struct CountBetterKernel {
  static constexpr int64_t kColumns = 8192;

  RowLogits<A> logits;
  int64_t num_classes, num_true;
  const int64_t* labels;
  const A* label_logits;
  uint64_t* ranks;  // [rows, num_true], zeros before

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const int64_t parts = (num_classes + kColumns - 1) / kColumns;
    for (int64_t item = block.block(); item < logits.rows * parts; item += block.blocks()) {
      const int64_t row = logits.first_row + item / parts, first = item % parts * kColumns;
      const int64_t end = Least(first + kColumns, num_classes);
      const A* const z = logits.Row(row);
      for (int64_t label = row * num_true; label < (row + 1) * num_true; ++label) {
        const ScoredClass<A> own = {label_logits[label], labels[label]};
        int count = 0;
        for (int64_t c = first + block.thread(); c < end; c += block.threads()) {
          count += c != own.id && !IsAbsent(z[c]) && IsBetter<A>({z[c], c}, own);
        }
        count = block.SumOfLanes(count);
        if (block.lane() == 0 && count > 0) AtomicAdd(&ranks[label], count);
      }
    }
  }
};

// Writes the places of a row's classes in the order, and their ids.
template <typename A>
struct WritePlacesKernel {
  const A* logits;
  int64_t num_classes;
  int64_t* places;
  int64_t* ids;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t c = GridRank(block); c < num_classes; c += GridSize(block)) {
      const uint64_t last = sizeof(A) == 4 ? 0xffffffffu : ~uint64_t{0};
      const uint64_t place = IsAbsent(logits[c]) ? last : PlaceOf(logits[c]);
      // All 64 bits are sorted as a number with a sign.
      places[c] = static_cast<int64_t>(sizeof(A) == 4 ? place : place ^ (uint64_t{1} << 63));
      ids[c] = c;
    }
  }
};

template <typename A>
struct TakeBestKernel {
  const A* logits;
  const int64_t* ids;  // in order
  int64_t k;
  A softcap;
  A* values;
  int64_t* indices;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    for (int64_t j = GridRank(block); j < k; j += GridSize(block)) {
      const A logit = logits[ids[j]];
      const bool absent = IsAbsent(logit);
      A slope;
      values[j] = absent                             ? A(NAN)
                  : softcap == A(0) || IsMask(logit) ? logit
                                                     : Softcap(logit, softcap, &slope);
      indices[j] = absent ? -1 : ids[j];
    }
  }
};

// Calls use(logits) for some rows after the other, with the logits of all classes.
template <typename T, typename W, typename Launcher, typename Use>
int ForRowLogits(Launcher& launcher, DeviceRuntime& runtime, MatrixProducts& products,
                 const DeviceScoring<T, W>& scoring, int64_t bytes, Use use) {
  using A = Accumulator<W>;
  constexpr int64_t kWide = 65536;
  const int64_t stride = StrideOf(scoring.num_classes), depth = scoring.depth();
  const int64_t at_a_time =
      Most(1, Least(scoring.rows, bytes / (Most(1, stride) * static_cast<int64_t>(sizeof(A)))));
  const int64_t wide = Least(kWide, Most(1, scoring.num_classes));
  const ClassFactors<T, W> classes(launcher, runtime, scoring, wide);
  A* const values = runtime.Allocate<A>(at_a_time * stride);
  if (runtime.error() != 0) return runtime.error();
  for (int64_t first = 0; first < scoring.rows; first += at_a_time) {
    const RowLogits<A> logits = {values, stride, first, Least(at_a_time, scoring.rows - first)};
    Factor inputs = classes.factors().Inputs();
    inputs.values = static_cast<const Operand<T>*>(inputs.values) + first * depth;
    for (int64_t column = 0; column < scoring.num_classes; column += wide) {
      const int64_t count = Least(wide, scoring.num_classes - column);
      const Factor right = Transposed(
          classes.factors().Rows(launcher, classes.ClassRows(launcher, column, count), count));
      MatrixProduct product = {kFactorType<T>, logits.rows, count,  depth, inputs,
                               right,          nullptr,     stride, 1,     false};
      product.product = values + column;
      product.alpha = 1 / scoring.options.temperature;
      const int error = products.Multiply(runtime, product);
      if (error != 0) return error;
    }
    if (!scoring.biases.empty()) {
      launcher.ForEach(logits.rows * scoring.num_classes,
                       AddBiasesKernel<W>{logits, scoring.biases, scoring.num_classes});
    }
    use(logits);
  }
  return launcher.error();
}

template <typename A, typename Launcher>
void Exclude(Launcher& launcher, const RowLogits<A>& logits, int64_t num_classes,
             const DeviceExcluded& excluded) {
  if (excluded.ids == nullptr) return;
  const int64_t begin = excluded.host_splits[logits.first_row];
  const int64_t end = excluded.host_splits[logits.first_row + logits.rows];
  if (begin == end) return;
  launcher.ForEach(end - begin, ExcludeKernel<A>{logits, num_classes, excluded, begin, end});
}

template <typename T, typename W, typename Launcher>
int LabelRanksOn(Launcher launcher, DeviceRuntime& runtime, MatrixProducts& products,
                 const DeviceRanking<T, W>& r) {
  using A = Accumulator<W>;
  const int64_t num_classes = r.scoring.num_classes, labels = r.scoring.rows * r.num_true;
  A* const label_logits = runtime.Allocate<A>(labels);
  if (runtime.error() != 0) return runtime.error();
  uint64_t* const ranks = reinterpret_cast<uint64_t*>(r.ranks);
  launcher.Clear(ranks, labels * sizeof *ranks);
  return ForRowLogits(
      launcher, runtime, products, r.scoring, r.logit_bytes, [&](const RowLogits<A>& logits) {
        launcher.ForEach(
            logits.rows * r.num_true,
            TakeLabelLogitsKernel<A>{logits, num_classes, r.num_true, r.labels, label_logits});
        Exclude(launcher, logits, num_classes, r.excluded);
        const int64_t parts =
            (num_classes + CountBetterKernel<A>::kColumns - 1) / CountBetterKernel<A>::kColumns;
        launcher.ForEachBlock(
            logits.rows * parts,
            CountBetterKernel<A>{logits, num_classes, r.num_true, r.labels, label_logits, ranks});
      });
}

// Each row's classes are sorted: a stable sort leaves equal logits in the order of their ids.
template <typename T, typename W, typename Launcher>
int TopClassesOn(Launcher launcher, DeviceRuntime& runtime, MatrixProducts& products,
                 const DeviceTopClasses<T, W>& t) {
  using A = Accumulator<W>;
  constexpr int kBits = sizeof(A) == 4 ? 32 : 64;
  const int64_t num_classes = t.scoring.num_classes;
  if (t.k == 0) return 0;
  size_t bytes = 0;
  launcher.SortPairs(nullptr, &bytes, nullptr, nullptr, nullptr, nullptr, num_classes, kBits);
  char* const memory = runtime.Allocate<char>(static_cast<int64_t>(bytes));
  int64_t* const places = runtime.Allocate<int64_t>(num_classes);
  int64_t* const sorted_places = runtime.Allocate<int64_t>(num_classes);
  int64_t* const ids = runtime.Allocate<int64_t>(num_classes);
  int64_t* const sorted_ids = runtime.Allocate<int64_t>(num_classes);
  if (runtime.error() != 0) return runtime.error();
  return ForRowLogits(
      launcher, runtime, products, t.scoring, t.logit_bytes, [&](const RowLogits<A>& logits) {
        Exclude(launcher, logits, num_classes, t.excluded);
        for (int64_t row = logits.first_row; row < logits.first_row + logits.rows; ++row) {
          launcher.ForEach(num_classes,
                           WritePlacesKernel<A>{logits.Row(row), num_classes, places, ids});
          launcher.SortPairs(memory, &bytes, places, sorted_places, ids, sorted_ids, num_classes,
                             kBits);
          launcher.ForEach(t.k, TakeBestKernel<A>{logits.Row(row), sorted_ids, t.k,
                                                  static_cast<A>(t.scoring.options.softcap),
                                                  t.values + row * t.k, t.indices + row * t.k});
        }
      });
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_EXACT_RANKING_H_
