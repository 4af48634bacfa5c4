// SPDX-License-Identifier: Apache-2.0
// Registers the samplers' kernels for GPUs. Inputs that the host must know stay in its memory: how
// many candidates there are, row splits, weights that are not a variable.
#include "cc/kernels/gpu/gpu_draws.h"
#include "cc/kernels/samplers/accidental_hits_op.h"
#include "cc/kernels/samplers/candidate_sampler_ops.h"
#include "cc/kernels/samplers/distribution_origin.h"
#include "cc/kernels/samplers/sample_ops.h"

namespace candsamp {
namespace {

#define CANDSAMP_KERNEL(name) Name("Candsamp>" name).Device(tensorflow::DEVICE_GPU)
#define CANDSAMP_SAMPLE_KERNEL(name) CANDSAMP_KERNEL(name).HostMemory("num_sampled")
#define CANDSAMP_ROWS_KERNEL(name) CANDSAMP_SAMPLE_KERNEL(name).HostMemory("true_splits")

#define CANDSAMP_REGISTER_RANGE(kind, View)                                      \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "CandidateSampler"),              \
                          CandidateSamplerOp<GpuDevice, RangeOrigin<View>>);     \
  REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL("Stateless" kind "Sample"),     \
                          SampleOp<GpuDevice, RangeOrigin<View>>);               \
  REGISTER_KERNEL_BUILDER(CANDSAMP_ROWS_KERNEL("Stateless" kind "RaggedSample"), \
                          RaggedSampleOp<GpuDevice, RangeOrigin<View>>);         \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "Probability"),                   \
                          ProbabilityOp<GpuDevice, RangeOrigin<View>>)

CANDSAMP_REGISTER_RANGE("Uniform", UniformView);
CANDSAMP_REGISTER_RANGE("LogUniform", LogUniformView);

#define CANDSAMP_REGISTER_VARIABLE(kind, variable, Origin)                                \
  REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL(kind "Sample").HostMemory(variable),     \
                          SampleOp<GpuDevice, Origin<GpuDevice>>);                        \
  REGISTER_KERNEL_BUILDER(CANDSAMP_ROWS_KERNEL(kind "RaggedSample").HostMemory(variable), \
                          RaggedSampleOp<GpuDevice, Origin<GpuDevice>>);                  \
  REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL(kind "Probability").HostMemory(variable),       \
                          ProbabilityOp<GpuDevice, Origin<GpuDevice>>)

CANDSAMP_REGISTER_VARIABLE("FixedUnigram", "weights", WeightsVariableOrigin);
CANDSAMP_REGISTER_VARIABLE("LearnedUnigram", "counts", CountsVariableOrigin);

using WeightsAttribute = WeightsAttributeOrigin<GpuDevice>;
using WeightsInput = WeightsInputOrigin<GpuDevice>;
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("FixedUnigramCandidateSampler"),
                        CandidateSamplerOp<GpuDevice, WeightsAttribute>);
REGISTER_KERNEL_BUILDER(CANDSAMP_SAMPLE_KERNEL("StatelessFixedUnigramSample").HostMemory("weights"),
                        SampleOp<GpuDevice, WeightsInput>);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("LearnedUnigramUpdate").HostMemory("counts"),
                        LearnedUnigramUpdateOp<GpuDevice>);
REGISTER_KERNEL_BUILDER(
    CANDSAMP_KERNEL("LearnedUnigramHalve").HostMemory("when").HostMemory("counts"),
    LearnedUnigramHalveOp<GpuDevice>);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("AllCandidateSampler"), AllCandidateSamplerOp<GpuDevice>);
REGISTER_KERNEL_BUILDER(CANDSAMP_KERNEL("ComputeAccidentalHits"),
                        ComputeAccidentalHitsOp<GpuDevice>);

}  // namespace
}  // namespace candsamp
