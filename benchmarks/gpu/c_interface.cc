// SPDX-License-Identifier: Apache-2.0
// A C interface to the launchers, which library.py calls: the benchmarks hold their tensors in
// PyTorch. A call that is made here owns its scratch, so that running it only launches kernels. An
// int that a function returns is a cudaError_t, and so is *error: 0 is success.
#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

#include "benchmarks/gpu/calls.h"
#include "benchmarks/gpu/floors.h"
#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/core/errors.h"
#include "cc/cuda/samplers/launchers.h"
#include "cc/lib/samplers/fixed_unigram.h"

namespace candsamp {
namespace {

enum Kind { kUniform, kLogUniform, kFixedUnigram, kLearnedUnigram };

struct DeviceDistribution {
  Kind kind;
  int64_t range;
  Memory memory;
  int64_t support = 0;  // fixed
  double total = 0;
  const AliasColumn* columns = nullptr;
  LearnedCounts learned = {};

  // Returns use(view).
  template <typename Use>
  auto With(Use use) const {
    switch (kind) {
      case kUniform:
        return use(UniformView(range));
      case kLogUniform:
        return use(LogUniformView(range));
      case kFixedUnigram:
        return use(FixedUnigramView(range, support, total, columns));
      default:
        return use(LearnedUnigramView(range, learned.counts, learned.state));
    }
  }
};

void MakeFixed(DeviceDistribution& made, const float* weights) {
  const FixedUnigram cpu(weights, made.range);
  AliasColumn* const columns = made.memory.Of<AliasColumn>(made.range);
  if (made.memory.error() == cudaSuccess) {
    made.memory.Note(cudaMemcpy(columns, cpu.columns(), made.range * sizeof(AliasColumn),
                                cudaMemcpyHostToDevice));
  }
  made.support = cpu.support();
  made.total = cpu.total();
  made.columns = columns;
}

// Makes slots for counts of any sum.
void MakeLearned(DeviceDistribution& made, const int64_t* counts) {
  Memory& memory = made.memory;
  const int64_t range = made.range;
  const SlotBlocks blocks = MostSlotBlocks(int64_t{1} << 40, range);
  made.learned = {range, memory.Of<int64_t>(range), memory.Of<SlotState>(1),
                  memory.Of<uint32_t>(blocks.num_blocks * blocks.places),
                  memory.Of<uint16_t>(blocks.num_blocks + 1)};
  int64_t total = range;
  for (int64_t k = 0; k < range; ++k) total += counts[k];
  const LaunchPlan plan = PlanAdd(range, 0);
  void* const scratch = memory.Scratch(plan);
  if (memory.error() != cudaSuccess) return;
  memory.Note(
      cudaMemcpy(made.learned.counts, counts, range * sizeof(int64_t), cudaMemcpyHostToDevice));
  memory.Note(LaunchBuild(nullptr, plan, made.learned, total, scratch));
  memory.Note(cudaDeviceSynchronize());
}

struct Graph {
  cudaGraphExec_t graph = nullptr;
};

}  // namespace

// A new Philox stream for each run of a call.
struct NextStream {
  uint64_t next = 0;
  PhiloxStream operator()() { return {0x5eed, ++next, 0}; }
};

CANDSAMP_EXPORT const char* candsamp_error_text(int error) {
  static std::string text;
  text = CudaErrorText(error);
  return text.c_str();
}

CANDSAMP_EXPORT int candsamp_devices(int* count) { return cudaGetDeviceCount(count); }

CANDSAMP_EXPORT int candsamp_versions(int* driver, int* runtime) {
  const int error = cudaDriverGetVersion(driver);
  return error != cudaSuccess ? error : cudaRuntimeGetVersion(runtime);
}

// kind: 0 uniform, 1 log-uniform, 2 fixed unigram of `weights`, 3 learned unigram of `counts`. Both
// are [range], in the host's memory.
CANDSAMP_EXPORT void* candsamp_distribution_new(int kind, int64_t range, const float* weights,
                                                const int64_t* counts, int* error) {
  auto made = std::make_unique<DeviceDistribution>();
  made->kind = static_cast<Kind>(kind);
  made->range = range;
  if (made->kind == kFixedUnigram) MakeFixed(*made, weights);
  if (made->kind == kLearnedUnigram) MakeLearned(*made, counts);
  return Finished(std::move(made), error);
}
CANDSAMP_EXPORT void candsamp_distribution_free(void* distribution) {
  delete static_cast<DeviceDistribution*>(distribution);
}

// Draws num_sampled candidates. The runs of the call write the `sets` parts of candidates and
// sampled_expected_count in turn, each num_sampled long. There is one true class.
CANDSAMP_EXPORT void* candsamp_batch_new(const void* distribution, int64_t num_sampled, int unique,
                                         int exact, const int64_t* true_class, int64_t sets,
                                         int64_t* candidates, float* sampled_expected_count,
                                         float* true_expected_count, int* error) {
  const auto* from = static_cast<const DeviceDistribution*>(distribution);
  auto call = std::make_unique<Call>();
  DeviceBatchRequest request = {};
  request.num_sampled = num_sampled;
  request.unique = unique;
  request.exact_counts = exact;
  request.true_total = 1;
  request.true_classes = true_class;
  request.true_expected_count = true_expected_count;
  const LaunchPlan plan = from->With([&](const auto& view) { return PlanBatch(view, request); });
  void* const scratch = call->memory.Scratch(plan);
  call->run = [=, next = NextStream()](CudaStream cuda_stream) mutable {
    DeviceBatchRequest mine = request;
    mine.stream = StreamStart::Of(next());
    const int64_t set = static_cast<int64_t>(next.next) % sets;
    mine.candidates = candidates + set * num_sampled;
    mine.sampled_expected_count = sampled_expected_count + set * num_sampled;
    return from->With(
        [&](const auto& view) { return LaunchBatch(cuda_stream, plan, view, mine, scratch); });
  };
  return Finished(std::move(call), error);
}

// Draws each_sampled candidates for each row, without the row's one true class if exclude_true.
CANDSAMP_EXPORT void* candsamp_rows_new(const void* distribution, int64_t rows,
                                        int64_t each_sampled, int unique, int exclude_true,
                                        const int64_t* splits, const int64_t* true_classes,
                                        const int64_t* true_splits, int64_t* candidates,
                                        float* expected_count, int* error) {
  const auto* from = static_cast<const DeviceDistribution*>(distribution);
  auto call = std::make_unique<Call>();
  DeviceRowsRequest request = {};
  request.rows = rows;
  request.splits = splits;
  request.unique = unique;
  request.exclude_true = exclude_true;
  request.true_total = rows;
  request.true_classes = true_classes;
  request.true_splits = true_splits;
  request.candidates = candidates;
  request.expected_count = expected_count;
  const int64_t total = rows * each_sampled;
  const LaunchPlan plan =
      from->With([&](const auto& view) { return PlanRows(view, request, each_sampled, total); });
  void* const scratch = call->memory.Scratch(plan);
  call->run = [=, next = NextStream()](CudaStream cuda_stream) mutable {
    DeviceRowsRequest mine = request;
    mine.stream = StreamStart::Of(next());
    return from->With([&](const auto& view) {
      return LaunchRows(cuda_stream, plan, view, mine, each_sampled, total, scratch);
    });
  };
  return Finished(std::move(call), error);
}

// Adds one to the count of each class of a learned-unigram distribution.
CANDSAMP_EXPORT void* candsamp_count_new(const void* distribution, const int64_t* classes,
                                         int64_t count, int* error) {
  const auto* from = static_cast<const DeviceDistribution*>(distribution);
  auto call = std::make_unique<Call>();
  const LaunchPlan plan = PlanAdd(from->range, count);
  void* const scratch = call->memory.Scratch(plan);
  call->run = [=](CudaStream cuda_stream) {
    return LaunchAdd(cuda_stream, plan, from->learned, classes, count, scratch);
  };
  return Finished(std::move(call), error);
}

// Finds accidental hits. Rows, positions and weights have room for `most`. Runs wait for the number
// of hits.
CANDSAMP_EXPORT void* candsamp_hits_new(const int64_t* true_classes, int64_t true_total,
                                        int64_t row_size, const int64_t* candidates,
                                        int64_t num_candidates, int64_t most, int32_t* rows,
                                        int64_t* positions, float* weights, int* error) {
  auto call = std::make_unique<Call>();
  const HitsInput input = {true_classes, true_total, row_size, candidates, num_candidates};
  void* const scratch = call->memory.Scratch(PlanHits(input));
  call->run = [=](CudaStream cuda_stream) {
    int64_t found = 0;
    const int failed = LaunchFindHits(cuda_stream, input, scratch, &found);
    if (failed != cudaSuccess) return failed;
    if (found > most) return static_cast<int>(cudaErrorInvalidValue);
    return LaunchWriteHits(cuda_stream, input, scratch, {rows, positions, weights});
  };
  return Finished(std::move(call), error);
}

// A kernel that does nothing.
CANDSAMP_EXPORT void* candsamp_empty_new(int together, int* error) {
  auto call = std::make_unique<Call>();
  call->run = [=](CudaStream cuda_stream) { return LaunchEmpty(cuda_stream, together); };
  return Finished(std::move(call), error);
}

// Runs the arithmetic of `draws` draws.
CANDSAMP_EXPORT void* candsamp_arithmetic_new(const void* distribution, int64_t draws, int* error) {
  const auto* from = static_cast<const DeviceDistribution*>(distribution);
  auto call = std::make_unique<Call>();
  uint64_t* const sink = call->memory.Of<uint64_t>(1);
  call->run = [=](CudaStream cuda_stream) {
    return from->With(
        [&](const auto& view) { return LaunchArithmetic(cuda_stream, view, draws, sink); });
  };
  return Finished(std::move(call), error);
}

CANDSAMP_EXPORT int candsamp_run(void* call, void* cuda_stream) {
  return static_cast<Call*>(call)->run(cuda_stream);
}
// How much memory a call has used beside its inputs, where it says so; else 0.
CANDSAMP_EXPORT int64_t candsamp_call_bytes(void* call) {
  const auto& bytes = static_cast<Call*>(call)->bytes;
  return bytes ? bytes() : 0;
}
CANDSAMP_EXPORT void candsamp_call_free(void* call) { delete static_cast<Call*>(call); }

// `runs` runs of a call as one CUDA graph. REQUIRES: the call does not wait.
CANDSAMP_EXPORT void* candsamp_graph_new(void* call, int runs, int* error) {
  auto made = std::make_unique<Graph>();
  cudaStream_t cuda_stream = nullptr;
  *error = cudaStreamCreateWithFlags(&cuda_stream, cudaStreamNonBlocking);
  if (*error != cudaSuccess) return nullptr;
  *error = cudaStreamBeginCapture(cuda_stream, cudaStreamCaptureModeRelaxed);
  if (*error == cudaSuccess) {
    for (int k = 0; k < runs && *error == cudaSuccess; ++k)
      *error = candsamp_run(call, cuda_stream);
    cudaGraph_t graph = nullptr;
    const int ended = cudaStreamEndCapture(cuda_stream, &graph);
    if (*error == cudaSuccess) *error = ended;
    if (*error == cudaSuccess) *error = cudaGraphInstantiate(&made->graph, graph, 0);
    if (graph) cudaGraphDestroy(graph);
  }
  cudaStreamDestroy(cuda_stream);
  cudaGetLastError();  // clears the error that is returned: the next call must not find it again
  return *error == cudaSuccess ? made.release() : nullptr;
}
CANDSAMP_EXPORT int candsamp_graph_run(void* graph, void* cuda_stream) {
  return cudaGraphLaunch(static_cast<Graph*>(graph)->graph, static_cast<cudaStream_t>(cuda_stream));
}
CANDSAMP_EXPORT void candsamp_graph_free(void* graph) {
  cudaGraphExecDestroy(static_cast<Graph*>(graph)->graph);
  delete static_cast<Graph*>(graph);
}

}  // namespace candsamp
