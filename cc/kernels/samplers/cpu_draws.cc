// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/samplers/cpu_draws.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/classes/candidate_positions.h"
#include "cc/lib/samplers/draw_candidates.h"
#include "cc/lib/samplers/draw_rows.h"

namespace candsamp {

absl::Status Draw<CpuDevice>::Batch(OpKernelContext*, OpRuntime& runtime,
                                    const Distribution& distribution, const Stream& stream,
                                    const BatchOptions& options, const Tensor& true_classes,
                                    const BatchOutputs& outputs) {
  const CountRule rule = DrawCandidates(
      runtime, distribution, stream, {options.num_sampled, options.unique, options.exact},
      MutableData<int64_t>(outputs.candidates), MutableData<float>(outputs.sampled_expected_count));
  ExpectedCounts(runtime, distribution, rule, Data<int64_t>(true_classes),
                 true_classes.NumElements(), MutableData<float>(outputs.true_expected_count));
  return absl::OkStatus();
}

absl::Status Draw<CpuDevice>::Rows(OpKernelContext* context, OpRuntime& runtime,
                                   const Distribution& distribution, const Stream& stream,
                                   const RowsOptions& options, const RowsInputs& inputs) {
  Tensor *candidates, *row_splits, *expected_count;
  TF_RETURN_IF_ERROR(context->allocate_output(1, TensorShape({inputs.rows + 1}), &row_splits));
  int64_t* const splits = MutableData<int64_t>(row_splits);
  TF_RETURN_IF_ERROR(inputs.WriteCandidateSplits(splits));
  const TensorShape shape({splits[inputs.rows]});
  TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &candidates));
  TF_RETURN_IF_ERROR(context->allocate_output(2, shape, &expected_count));
  return ToStatus(DrawRows(runtime, distribution, stream,
                           {inputs.rows, splits, options.unique, options.exact,
                            options.exclude_true ? Data<int64_t>(*inputs.true_splits) : nullptr,
                            Data<int64_t>(*inputs.true_classes)},
                           MutableData<int64_t>(candidates), MutableData<float>(expected_count)));
}

absl::Status Draw<CpuDevice>::Probabilities(OpKernelContext*, OpRuntime& runtime,
                                            const Distribution& distribution, const Tensor& ids,
                                            float* out) {
  ExpectedCounts(runtime, distribution, {CountRule::kProportional, 1.0}, Data<int64_t>(ids),
                 ids.NumElements(), out);
  return absl::OkStatus();
}

absl::Status Draw<CpuDevice>::AllCandidates(OpKernelContext*, const Tensor& true_classes,
                                            const BatchOutputs& outputs) {
  const int64_t range = outputs.candidates->NumElements();
  int64_t* const candidates = MutableData<int64_t>(outputs.candidates);
  std::iota(candidates, candidates + range, 0);
  std::fill_n(MutableData<float>(outputs.sampled_expected_count), range, 1.0f);
  std::fill_n(MutableData<float>(outputs.true_expected_count), true_classes.NumElements(), 1.0f);
  return absl::OkStatus();
}

absl::Status CpuAccidentalHits::Find(OpKernelContext*, OpRuntime& runtime, const HitsInputs& inputs,
                                     int64_t* number) {
  const CandidatePositions candidates(runtime, Data<int64_t>(*inputs.candidates),
                                      inputs.candidates->NumElements());
  for (int64_t k = 0; k < inputs.true_classes->NumElements(); ++k) {
    candidates.ForEach(Data<int64_t>(*inputs.true_classes)[k], [&](int64_t position) {
      rows_.push_back(static_cast<int32_t>(k / inputs.num_true));
      positions_.push_back(position);
    });
  }
  *number = static_cast<int64_t>(positions_.size());
  return absl::OkStatus();
}

absl::Status CpuAccidentalHits::Write(OpKernelContext*, const HitsInputs&,
                                      const HitsOutputs& outputs) const {
  std::copy(rows_.begin(), rows_.end(), outputs.rows);
  std::copy(positions_.begin(), positions_.end(), outputs.positions);
  std::fill_n(outputs.weights, rows_.size(), std::numeric_limits<float>::lowest());
  return absl::OkStatus();
}

}  // namespace candsamp
