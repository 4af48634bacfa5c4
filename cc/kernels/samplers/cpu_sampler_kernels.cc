// SPDX-License-Identifier: Apache-2.0
// Registers the samplers' kernels for the CPU.
#include "cc/kernels/samplers/accidental_hits_op.h"
#include "cc/kernels/samplers/candidate_sampler_ops.h"
#include "cc/kernels/samplers/cpu_draws.h"
#include "cc/kernels/samplers/distribution_origin.h"
#include "cc/kernels/samplers/sample_ops.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"

namespace candsamp {
namespace {

template <typename Origin>
using Sample = SampleOp<CpuDevice, Origin>;
template <typename Origin>
using RaggedSample = RaggedSampleOp<CpuDevice, Origin>;
template <typename Origin>
using Probability = ProbabilityOp<CpuDevice, Origin>;
template <typename Origin>
using CandidateSampler = CandidateSamplerOp<CpuDevice, Origin>;

using UniformOrigin = RangeOrigin<Uniform>;
using LogUniformOrigin = RangeOrigin<LogUniform>;
using WeightsAttribute = WeightsAttributeOrigin<CpuDevice>;
using WeightsInput = WeightsInputOrigin<CpuDevice>;
using WeightsVariable = WeightsVariableOrigin<CpuDevice>;
using CountsVariable = CountsVariableOrigin<CpuDevice>;

#define CANDSAMP_REGISTER(name, kernel) \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" name).Device(tensorflow::DEVICE_CPU), kernel)

CANDSAMP_REGISTER("UniformCandidateSampler", CandidateSampler<UniformOrigin>);
CANDSAMP_REGISTER("LogUniformCandidateSampler", CandidateSampler<LogUniformOrigin>);
CANDSAMP_REGISTER("FixedUnigramCandidateSampler", CandidateSampler<WeightsAttribute>);
CANDSAMP_REGISTER("AllCandidateSampler", AllCandidateSamplerOp<CpuDevice>);

CANDSAMP_REGISTER("StatelessUniformSample", Sample<UniformOrigin>);
CANDSAMP_REGISTER("StatelessUniformRaggedSample", RaggedSample<UniformOrigin>);
CANDSAMP_REGISTER("UniformProbability", Probability<UniformOrigin>);
CANDSAMP_REGISTER("StatelessLogUniformSample", Sample<LogUniformOrigin>);
CANDSAMP_REGISTER("StatelessLogUniformRaggedSample", RaggedSample<LogUniformOrigin>);
CANDSAMP_REGISTER("LogUniformProbability", Probability<LogUniformOrigin>);
CANDSAMP_REGISTER("StatelessFixedUnigramSample", Sample<WeightsInput>);
CANDSAMP_REGISTER("FixedUnigramSample", Sample<WeightsVariable>);
CANDSAMP_REGISTER("FixedUnigramRaggedSample", RaggedSample<WeightsVariable>);
CANDSAMP_REGISTER("FixedUnigramProbability", Probability<WeightsVariable>);
CANDSAMP_REGISTER("LearnedUnigramSample", Sample<CountsVariable>);
CANDSAMP_REGISTER("LearnedUnigramRaggedSample", RaggedSample<CountsVariable>);
CANDSAMP_REGISTER("LearnedUnigramProbability", Probability<CountsVariable>);
CANDSAMP_REGISTER("LearnedUnigramUpdate", LearnedUnigramUpdateOp<CpuDevice>);
CANDSAMP_REGISTER("LearnedUnigramHalve", LearnedUnigramHalveOp<CpuDevice>);

CANDSAMP_REGISTER("ComputeAccidentalHits", ComputeAccidentalHitsOp<CpuDevice>);

}  // namespace
}  // namespace candsamp
