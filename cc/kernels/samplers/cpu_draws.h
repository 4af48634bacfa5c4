// SPDX-License-Identifier: Apache-2.0
// Draws on the CPU.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_CPU_DRAWS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_CPU_DRAWS_H_

#include <vector>

#include "cc/kernels/samplers/accidental_hits_op.h"
#include "cc/kernels/samplers/draws.h"
#include "cc/kernels/samplers/sampler_state.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

class CpuAccidentalHits {
 public:
  absl::Status Find(OpKernelContext* context, OpRuntime& runtime, const HitsInputs& inputs,
                    int64_t* number);
  absl::Status Write(OpKernelContext* context, const HitsInputs& inputs,
                     const HitsOutputs& outputs) const;

 private:
  std::vector<int32_t> rows_;
  std::vector<int64_t> positions_;
};

template <>
struct Draw<CpuDevice> {
  using FixedUnigramState = candsamp::FixedUnigramState;
  using LearnedUnigramState = candsamp::LearnedUnigramState;
  using AccidentalHits = CpuAccidentalHits;
  using Stream = PhiloxStream;

  static Stream StreamAt(const int64_t* values) { return StreamOfWords(values); }
  static Stream StreamOf(const PhiloxStream& stream) { return stream; }
  static int64_t Range(const Distribution& distribution) { return distribution.range(); }
  static absl::Status CheckClassIds(const char* name, const Tensor& ids, int64_t range) {
    return CheckInRange(name, ids, range);
  }

  static absl::Status Batch(OpKernelContext* context, OpRuntime& runtime,
                            const Distribution& distribution, const Stream& stream,
                            const BatchOptions& options, const Tensor& true_classes,
                            const BatchOutputs& outputs);
  static absl::Status Rows(OpKernelContext* context, OpRuntime& runtime,
                           const Distribution& distribution, const Stream& stream,
                           const RowsOptions& options, const RowsInputs& inputs);
  static absl::Status Probabilities(OpKernelContext* context, OpRuntime& runtime,
                                    const Distribution& distribution, const Tensor& ids,
                                    float* out);
  static absl::Status AllCandidates(OpKernelContext* context, const Tensor& true_classes,
                                    const BatchOutputs& outputs);
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_CPU_DRAWS_H_
