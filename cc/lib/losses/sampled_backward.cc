// SPDX-License-Identifier: Apache-2.0
// The backward pass of the dense losses.
//
//  1. Add up the gradients of labels that are no candidates.
//  2. Pack the inputs.
//  3. For each panel of columns, pack the rows of its candidates. Then
//     a. scale the slopes of each block, kept or computed again, to gradients of logits, and add
//        those of labels that are columns of the block;
//     b. multiply them with the candidates' rows: that is added to the gradients of the inputs;
//     c. multiply their transpose with the inputs: those are the gradients of the candidates' rows.
//        They may overwrite the rows, which no later panel needs.
//
// Where logits have options, inputs and rows are the scaled ones (unit_rows.h), and the gradients
// of what was scaled come last.
#include "cc/lib/losses/sampled_backward.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cc/lib/classes/class_gradients.h"
#include "cc/lib/logits/unit_row_gradients.h"
#include "cc/lib/logits/unit_rows.h"
#include "cc/lib/losses/packed_blocks.h"
#include "cc/lib/losses/tiling.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {
namespace {

// The occurrences of labels that are no candidates, as entries of ClassGroups.
template <typename A>
class OtherLabelEntries {
 public:
  OtherLabelEntries(const SampledBatch& batch, const A* gradient, const A* row_factor)
      : batch_(batch), gradient_(gradient), row_factor_(row_factor) {
    for (int64_t k = 0; k < batch.num_labels(); ++k) {
      if (batch.label_classes[k] >= batch.columns) labels_.push_back(k);
    }
  }

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }

  // The class, counted from the first that is no candidate.
  int64_t Id(int64_t position) const {
    return batch_.label_classes[labels_[position]] - batch_.columns;
  }

  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t row = labels_[k] / batch_.num_true;
      emit(Id(k), Occurrence<A>{0, row_factor_[row] * gradient_[labels_[k]], row});
    }
  }

 private:
  const SampledBatch& batch_;
  const A* gradient_;
  const A* row_factor_;
  std::vector<int64_t> labels_;
};

template <typename W>
class SampledBackward {
 public:
  using A = Accumulator<W>;

  SampledBackward(Runtime& runtime, const SampledLogits<A>& logits, const MatrixLoops<A>& matrices,
                  const SampledLossKept<W>& kept, const SampledLossGradients<W>& gradients)
      : runtime_(runtime),
        logits_(logits),
        matrices_(matrices),
        kept_(kept),
        gradients_(gradients),
        inputs_(runtime, logits.batch().options.logit, kept.inputs, logits.batch().rows,
                kept.depth) {}

  void Run() {
    AddOtherLabels();
    const PackedBlocks<A> left_inputs = PackInputsLeft();
    const PackedBlocks<A> right_inputs = PackInputsRight();
    const int64_t blocks = std::min(columns_.count(), PanelBlocks(depth_));
    const int64_t longest = columns_.longest(), columns = blocks * longest;
    const PackedBlocks<A> candidates(runtime_, blocks,
                                     matrices_.right_size(columns_.longest(), depth_));
    const PackedBlocks<A> transposed(runtime_, recompute_ ? blocks : 0,
                                     matrices_.right_size(depth_, columns_.longest()));
    const PackedBlocks<A> packed(runtime_, rows_.count() * blocks,
                                 matrices_.left_size(columns_.longest(), rows_.longest()));
    A* column_sums = runtime_.Allocate<A>(rows_.count() * columns);
    const ScoredRows<W> scored(runtime_, batch_.options.logit, columns, depth_);
    A* sums = kInPlace && !normalize_ ? nullptr : runtime_.Allocate<A>(columns * depth_);

    ForEachPanel(columns_, blocks, [&](int64_t first, int64_t count) {
      runtime_.ParallelFor(
          count, columns_.longest() * depth_ * (recompute_ ? 2 : 1), [&](int64_t b, int64_t end) {
            for (; b < end; ++b) {
              const int64_t length = columns_.length(first + b);
              const A* rows = scored.Get(ClassRows(first + b), length, b * longest);
              matrices_.pack_right(rows, depth_, Layout::kRows, length, depth_, candidates[b]);
              if (!recompute_) continue;
              matrices_.pack_right(rows, depth_, Layout::kTransposed, depth_, length,
                                   transposed[b]);
            }
          });
      runtime_.ParallelFor(
          rows_.count(), rows_.longest() * count * columns_.longest() * (depth_ / 16 + 3),
          [&](int64_t r, int64_t end) {
            for (; r < end; ++r) {
              for (int64_t b = 0; b < count; ++b) {
                RunBlock(r, first + b, left_inputs[recompute_ ? r : 0],
                         transposed[recompute_ ? b : 0], candidates[b],
                         packed[b * rows_.count() + r], column_sums + r * columns + b * longest);
              }
            }
          });
      runtime_.ParallelFor(count, columns_.longest() * batch_.rows * (depth_ / 16 + 1),
                           [&](int64_t b, int64_t end) {
                             for (; b < end; ++b) {
                               SumRows(first + b, packed, b * rows_.count(), right_inputs,
                                       sums + b * longest * depth_);
                               SumBiases(first + b, column_sums + b * longest, columns);
                             }
                           });
    });
    if (inputs_.are_inputs()) return;
    runtime_.ParallelFor(batch_.rows, depth_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        inputs_.GradientOfInput(i, gradients_.inputs + i * depth_);
      }
    });
  }

 private:
  static constexpr bool kInPlace = std::is_same_v<W, A>;

  const W* ClassRows(int64_t b) const { return kept_.class_rows + columns_.begin(b) * depth_; }

  // Step 1: starts the gradients of the inputs with what labels that are no candidates add, and
  // writes the gradients of their rows and biases.
  void AddOtherLabels() {
    const RowLoops<W>& loops = ChosenRowLoops<W>();
    runtime_.ParallelFor(batch_.rows, depth_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        A* sum = gradients_.inputs + i * depth_;
        std::fill_n(sum, depth_, A(0));
        for (int64_t k = i * batch_.num_true; k < (i + 1) * batch_.num_true; ++k) {
          if (batch_.label_classes[k] < batch_.columns) continue;
          const W* row = kept_.class_rows + batch_.label_classes[k] * depth_;
          A factor = kept_.grad[i] * kept_.label_logit_grad[k];
          if (normalize_) factor *= InverseNorm(row, depth_);
          loops.add_weighted(&row, &factor, 1, depth_, sum);
        }
      }
    });
    const int64_t others = batch_.classes - batch_.columns;
    const OtherLabelEntries<A> labels(batch_, kept_.label_logit_grad, kept_.grad);
    const ClassGroups<Occurrence<A>> groups(runtime_, labels.size(), std::max<int64_t>(others, 1),
                                            labels);
    if (normalize_) {
      const int64_t first = batch_.columns;
      SumUnitClassRows<W>(
          runtime_, groups, 0, groups.size(), inputs_.values(), depth_,
          [&](int64_t g) { return kept_.class_rows + (first + g) * depth_; },
          gradients_.class_rows + first * depth_);
    } else {
      SumClassRows(runtime_, groups, 0, groups.size(), inputs_.values(), depth_,
                   gradients_.class_rows + batch_.columns * depth_);
    }
    if (gradients_.class_biases == nullptr) return;
    SumClassBiases(runtime_, groups, 0, groups.size(), gradients_.class_biases + batch_.columns);
  }

  // Writes the gradients of classes' rows from those of the rows divided by their norms.
  void WriteGradientsOfRows(int64_t first, int64_t count, const A* gradients) const {
    for (int64_t k = 0; k < count; ++k) {
      WriteGradientOfRow(kept_.class_rows + (first + k) * depth_, gradients + k * depth_, A(1),
                         depth_, gradients_.class_rows + (first + k) * depth_);
    }
  }

  template <typename Pack>
  PackedBlocks<A> PackInputs(int64_t size, Pack pack) const {
    const PackedBlocks<A> packed(runtime_, size > 0 ? rows_.count() : 0, size);
    if (size == 0) return packed;
    runtime_.ParallelFor(rows_.count(), rows_.longest() * depth_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        pack(inputs_.values() + rows_.begin(r) * depth_, rows_.length(r), packed[r]);
      }
    });
    return packed;
  }

  PackedBlocks<A> PackInputsLeft() const {
    return PackInputs(recompute_ ? matrices_.left_size(rows_.longest(), depth_) : 0,
                      [&](const A* inputs, int64_t rows, A* packed) {
                        matrices_.pack_left(inputs, depth_, Layout::kRows, rows, depth_, packed);
                      });
  }

  PackedBlocks<A> PackInputsRight() const {
    return PackInputs(matrices_.right_size(rows_.longest(), depth_),
                      [&](const A* inputs, int64_t rows, A* packed) {
                        matrices_.pack_right(inputs, depth_, Layout::kRows, rows, depth_, packed);
                      });
  }

  // Steps 3a and 3b for one block. Also packs the transpose for step 3c, and sums it for the
  // biases.
  void RunBlock(int64_t r, int64_t b, const A* inputs, const A* transposed, const A* candidates,
                A* packed_gradients, A* column_sums) const {
    const int64_t rows = rows_.length(r), columns = columns_.length(b);
    alignas(64) A tile[kRowBlock * kColumnBlock];
    alignas(64) A packed[kRowBlock * kColumnBlock];
    const A* slopes = recompute_ ? tile : kept_.slopes + BlockBegin(rows_, r, columns_, b);
    if (recompute_) {
      logits_.Start(b, rows, tile);
      matrices_.multiply_add(inputs, transposed, rows, depth_, columns, tile, columns);
      for (int64_t i = 0; i < rows; ++i) {
        logits_.Reduce(rows_.begin(r) + i, b, tile + i * columns);
      }
    }
    std::fill_n(column_sums, columns, A(0));
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = rows_.begin(r) + i;
      const A scale = kept_.grad[row] * kept_.scales[b * batch_.rows + row];
      A* gradients = tile + i * columns;
      loops_.scale_and_add(slopes + i * columns, scale, columns, gradients, column_sums);
      logits_.ForLabels(row, b, [&](int64_t label, int64_t column) {
        const A gradient = kept_.grad[row] * kept_.label_logit_grad[label];
        gradients[column] += gradient;
        column_sums[column] += gradient;
      });
    }
    matrices_.pack_left(tile, columns, Layout::kRows, rows, columns, packed);
    matrices_.multiply_add(packed, candidates, rows, columns, depth_,
                           gradients_.inputs + rows_.begin(r) * depth_, depth_);
    matrices_.pack_left(tile, columns, Layout::kTransposed, columns, rows, packed_gradients);
  }

  // Step 3c for the columns of one block. `sums` is scratch, used if W is not the type of sums or
  // rows are divided by their norms.
  void SumRows(int64_t b, const PackedBlocks<A>& packed, int64_t first,
               const PackedBlocks<A>& inputs, A* sums) const {
    const int64_t columns = columns_.length(b);
    W* out = gradients_.class_rows + columns_.begin(b) * depth_;
    if constexpr (kInPlace) {
      if (!normalize_) sums = out;
    }
    std::fill_n(sums, columns * depth_, A(0));
    for (int64_t r = 0; r < rows_.count(); ++r) {
      matrices_.multiply_add(packed[first + r], inputs[r], columns, rows_.length(r), depth_, sums,
                             depth_);
    }
    if (normalize_) return WriteGradientsOfRows(columns_.begin(b), columns, sums);
    if constexpr (!kInPlace) {
      ChosenRowLoops<W>().scale_and_narrow(sums, A(1), columns * depth_, out);
    }
  }

  void SumBiases(int64_t b, const A* column_sums, int64_t stride) const {
    if (gradients_.class_biases == nullptr) return;
    for (int64_t c = 0; c < columns_.length(b); ++c) {
      double sum = 0;
      for (int64_t r = 0; r < rows_.count(); ++r) sum += column_sums[r * stride + c];
      Narrow(static_cast<A>(sum), &gradients_.class_biases[columns_.begin(b) + c]);
    }
  }

  Runtime& runtime_;
  const SampledLogits<A>& logits_;
  const MatrixLoops<A>& matrices_;
  const SampledLossKept<W>& kept_;
  const SampledLossGradients<W>& gradients_;
  const int64_t depth_ = kept_.depth;
  const bool recompute_ = kept_.slopes == nullptr;
  const SampledBatch& batch_ = logits_.batch();
  const bool normalize_ = batch_.options.logit.normalize;
  const ScaledInputs<A> inputs_;
  const Blocks columns_ = logits_.columns();
  const Blocks rows_ = RowBlocks(batch_.rows);
  const LogitLoops<A>& loops_ = ChosenLogitLoops<A>();
};

}  // namespace

template <typename W>
void SampledLossBackward(Runtime& runtime, const SampledLogits<Accumulator<W>>& logits,
                         const MatrixLoops<Accumulator<W>>& matrices,
                         const SampledLossKept<W>& kept, const SampledLossGradients<W>& gradients) {
  SampledBackward<W>(runtime, logits, matrices, kept, gradients).Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                        \
  template void SampledLossBackward<W>(Runtime&, const SampledLogits<Accumulator<W>>&, \
                                       const MatrixLoops<Accumulator<W>>&,             \
                                       const SampledLossKept<W>&, const SampledLossGradients<W>&);
CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_INSTANTIATE)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
