// The forward pass of the losses with shared candidates.
//
// Panel by panel of columns, candidates' rows are gathered and packed; then each block of rows and
// columns is multiplied, and its logits are reduced to a largest one and a sum (the online softmax
// of Milakov and Gimelshein, arXiv 1805.02867) before they leave the first-level cache. The blocks
// of a row are merged in order at the end, with the row's labels. A label that is among the
// candidates takes its dot product from their matrix.
#include "cc/lib/sampled_losses.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cc/lib/packed_blocks.h"
#include "cc/lib/row_kernels.h"
#include "cc/lib/scalar_math.h"

namespace candsamp {
namespace {

// What a block leaves behind of a row.
template <typename A>
struct Partial {
  A max;  // softmax: the largest logit
  A sum;  // softmax: sum of exp(z - max); NCE: sum of softplus(z)
};

// A finite number to subtract from logits of which `max` is the largest.
template <typename A>
A Reference(A max) {
  return max == -std::numeric_limits<A>::infinity() ? A(0) : max;
}

template <typename W>
class SampledForward {
 public:
  using A = Accumulator<W>;

  SampledForward(Host& host, const SampledLogits<A>& logits, const MatrixKernels<A>& matrices,
                 const int64_t* class_ids, const A* label_log_q, const A* inputs,
                 const RowTable<W>& weights, const RowTable<W>& biases,
                 const SampledLossOutput<W>& output)
      : host_(host),
        logits_(logits),
        matrices_(matrices),
        class_ids_(class_ids),
        label_log_q_(label_log_q),
        inputs_(inputs),
        weights_(weights),
        biases_(biases),
        output_(output),
        depth_(weights.depth()),
        partials_(host.Allocate<Partial<A>>(columns_.count() * batch_.rows)),
        label_dots_(host.Allocate<A>(batch_.num_labels())) {}

  void Run() {
    const PackedBlocks<A> inputs = PackInputs();
    const PackedBlocks<A> panel(host_, std::min(columns_.count(), kPanelBlocks),
                                matrices_.right_size(depth_, columns_.longest()));
    const WidenedRows<W> widened(host_, std::min(columns_.size, kPanelBlocks * kColumnBlock),
                                 depth_);
    ForEachPanel(columns_, [&](int64_t first, int64_t count) {
      host_.ParallelFor(
          count, columns_.longest() * (depth_ + kCostOfRow), [&](int64_t b, int64_t end) {
            for (; b < end; ++b) {
              const int64_t length = columns_.length(first + b);
              GatherRows(columns_.begin(first + b), length);
              const A* wide =
                  widened.Widen(ClassRow(columns_.begin(first + b)), length, b * kColumnBlock);
              matrices_.pack_right(wide, depth_, Layout::kTransposed, depth_, length, panel[b]);
            }
          });
      host_.ParallelFor(rows_.count() * count,
                        rows_.longest() * columns_.longest() * (depth_ / 16 + 2),
                        [&](int64_t unit, int64_t end) {
                          for (; unit < end; ++unit) {
                            const int64_t r = unit / count, b = unit % count;
                            RunBlock(r, first + b, inputs[r], panel[b]);
                          }
                        });
    });
    const int64_t others = batch_.classes - batch_.columns;
    host_.ParallelFor(others, depth_ + kCostOfRow, [&](int64_t begin, int64_t end) {
      GatherRows(batch_.columns + begin, end - begin);
    });
    host_.ParallelFor(batch_.rows, columns_.count() * 8 + batch_.num_true * (40 + depth_ / 8),
                      [&](int64_t begin, int64_t end) {
                        for (int64_t i = begin; i < end; ++i) FinishRow(i);
                      });
  }

 private:
  static constexpr int64_t kCostOfRow = 200;  // cycles to find a row in memory

  W* ClassRow(int64_t number) const { return output_.class_rows + number * depth_; }

  void GatherRows(int64_t first, int64_t count) const {
    const int64_t* ids = class_ids_ + first;
    for (int64_t k = 0; k < std::min(count, kRowsAhead); ++k) {
      FetchRow(weights_.Row(ids[k]), depth_);
    }
    for (int64_t k = 0; k < count; ++k) {
      if (k + kRowsAhead < count) FetchRow(weights_.Row(ids[k + kRowsAhead]), depth_);
      std::copy_n(weights_.Row(ids[k]), depth_, ClassRow(first + k));
    }
  }

  PackedBlocks<A> PackInputs() const {
    const PackedBlocks<A> packed(host_, rows_.count(),
                                 matrices_.left_size(rows_.longest(), depth_));
    host_.ParallelFor(rows_.count(), rows_.longest() * depth_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        matrices_.pack_left(inputs_ + rows_.begin(r) * depth_, depth_, Layout::kRows,
                            rows_.length(r), depth_, packed[r]);
      }
    });
    return packed;
  }

  void RunBlock(int64_t r, int64_t b, const A* inputs, const A* candidates) const {
    A tile[kRowBlock * kColumnBlock];
    const int64_t rows = rows_.length(r), columns = columns_.length(b);
    const int64_t stride = output_.dots ? batch_.columns : columns;
    A* dots = output_.dots ? output_.dots + rows_.begin(r) * stride + columns_.begin(b) : tile;
    for (int64_t i = 0; i < rows; ++i) std::fill_n(dots + i * stride, columns, A(0));
    matrices_.multiply_add(inputs, candidates, rows, depth_, columns, dots, stride);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = rows_.begin(r) + i;
      partials_[b * batch_.rows + row] = Reduce(row, b, columns, dots + i * stride);
    }
  }

  Partial<A> Reduce(int64_t row, int64_t b, int64_t columns, const A* dots) const {
    A z[kColumnBlock];
    const A max = logits_.OfRow(row, b, dots, z);
    logits_.ForLabels(row, b,
                      [&](int64_t label, int64_t column) { label_dots_[label] = dots[column]; });
    if (batch_.kind == LossKind::kSoftmax) {
      return {max, kernels_.exp_minus(z, columns, Reference(max), z)};
    }
    A sum = 0;
    logits_.ForRepeats(b, z, [&](int64_t count, const int64_t*, A* repeats) {
      sum += kernels_.sigmoid_softplus(repeats, count, repeats);
    });
    return {max, sum + kernels_.sigmoid_softplus(z, columns, z)};
  }

  void FinishRow(int64_t row) const {
    const int64_t num_true = batch_.num_true;
    A* z = output_.label_logit_grad + row * num_true;  // logits until they become gradients
    A mean = 0;
    for (int64_t t = 0; t < num_true; ++t) {
      const int64_t label = row * num_true + t;
      const int64_t number = batch_.label_classes[label];
      A dot = label_dots_[label];
      if (number >= batch_.columns) {
        const W* class_row = ClassRow(number);
        row_kernels_.dot(&class_row, 1, 1, inputs_ + row * depth_, depth_, &dot);
      }
      z[t] = dot - label_log_q_[label];
      if (!biases_.empty()) z[t] += Widen(*biases_.Row(class_ids_[number]));
      mean += z[t] / static_cast<A>(num_true);
    }
    const A target = A(1) / static_cast<A>(num_true);
    if (batch_.kind == LossKind::kNce) {
      A loss = 0;
      for (int64_t b = 0; b < columns_.count(); ++b) loss += partials_[b * batch_.rows + row].sum;
      for (int64_t t = 0; t < num_true; ++t) {
        loss += SigmoidCrossEntropy(z[t], target);
        z[t] = Sigmoid(z[t]) - target;
      }
      output_.loss[row] = loss;
      return;
    }
    A max = *std::max_element(z, z + num_true);
    for (int64_t b = 0; b < columns_.count(); ++b) {
      max = std::max(max, partials_[b * batch_.rows + row].max);
    }
    A sum = 0;
    for (int64_t b = 0; b < columns_.count(); ++b) {
      const Partial<A>& partial = partials_[b * batch_.rows + row];
      sum += partial.sum * std::exp(partial.max - max);
    }
    for (int64_t t = 0; t < num_true; ++t) sum += std::exp(z[t] - max);
    output_.loss[row] = std::log(sum) - (mean - max);
    for (int64_t t = 0; t < num_true; ++t) z[t] = std::exp(z[t] - max) / sum - target;
    output_.row_max[row] = max;
    output_.row_sum[row] = sum;
  }

  Host& host_;
  const SampledLogits<A>& logits_;
  const MatrixKernels<A>& matrices_;
  const int64_t* class_ids_;
  const A* label_log_q_;
  const A* inputs_;
  const RowTable<W>& weights_;
  const RowTable<W>& biases_;
  const SampledLossOutput<W>& output_;
  const int64_t depth_;
  const SampledBatch& batch_ = logits_.batch();
  const Blocks columns_ = logits_.columns();
  const Blocks rows_ = RowBlocks(batch_.rows);
  Partial<A>* partials_;  // [column blocks, rows]
  A* label_dots_;         // [rows, num_true], of labels that are candidates
  const RowKernels<W>& row_kernels_ = ChosenRowKernels<W>();
  const LogitKernels<A>& kernels_ = ChosenLogitKernels<A>();
};

}  // namespace

template <typename W>
void SampledLossForward(Host& host, const SampledLogits<Accumulator<W>>& logits,
                        const MatrixKernels<Accumulator<W>>& matrices, const int64_t* class_ids,
                        const Accumulator<W>* label_log_q, const Accumulator<W>* inputs,
                        const RowTable<W>& weights, const RowTable<W>& biases,
                        const SampledLossOutput<W>& output) {
  SampledForward<W>(host, logits, matrices, class_ids, label_log_q, inputs, weights, biases, output)
      .Run();
}

#define CANDSAMP_INSTANTIATE(W)                                                          \
  template void SampledLossForward<W>(                                                   \
      Host&, const SampledLogits<Accumulator<W>>&, const MatrixKernels<Accumulator<W>>&, \
      const int64_t*, const Accumulator<W>*, const Accumulator<W>*, const RowTable<W>&,  \
      const RowTable<W>&, const SampledLossOutput<W>&);
CANDSAMP_INSTANTIATE(float)
CANDSAMP_INSTANTIATE(double)
CANDSAMP_INSTANTIATE(Bfloat16)
CANDSAMP_INSTANTIATE(Half)
#undef CANDSAMP_INSTANTIATE

}  // namespace candsamp
