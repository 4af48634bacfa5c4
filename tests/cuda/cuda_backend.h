// SPDX-License-Identifier: Apache-2.0
// A backend for the checks (tests/cuda/checks): a CUDA device, through the launchers of cc/cuda.
#ifndef TF_CANDSAMP_TESTS_CUDA_CUDA_BACKEND_H_
#define TF_CANDSAMP_TESTS_CUDA_CUDA_BACKEND_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/classes/all_candidates.h"
#include "cc/cuda/core/copies.h"
#include "cc/cuda/core/errors.h"
#include "cc/cuda/exact/launchers.h"
#include "cc/cuda/losses/ragged_launchers.h"
#include "cc/cuda/losses/sampled_launchers.h"
#include "cc/cuda/matrix/cublaslt_products.h"
#include "cc/cuda/optimizers/launchers.h"
#include "cc/cuda/rows/launchers.h"
#include "cc/cuda/samplers/launchers.h"

namespace candsamp {

// An exception, since nothing can be checked after a CUDA error.
class DeviceError : public std::runtime_error {
 public:
  DeviceError(const char* what, int error)
      : std::runtime_error(std::string(what) + ": " + CudaErrorText(error)) {}
};

inline void Need(int error, const char* what) {
  if (error != cudaSuccess) throw DeviceError(what, error);
}

class CudaBackend {
 public:
  // `poison` fills scratch with NaNs. Without it, initcheck sees reads before the first write.
  explicit CudaBackend(bool poison) : poison_(poison) {
    Need(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~CudaBackend() {
    Release();
    cudaStreamDestroy(stream_);
  }
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  // Not a byte more than asked for: memcheck sees what reads or writes beyond.
  template <typename T>
  T* Upload(const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T);
    T* const memory = static_cast<T*>(Allocate(bytes));
    if (bytes > 0) {
      Need(CopyToDeviceAndWait(stream_, memory, values.data(), bytes), "copy to the device");
    }
    return memory;
  }
  template <typename T>
  std::vector<T> Download(const T* from, int64_t count) {
    std::vector<T> values(count);
    if (count > 0) {
      Need(CopyToHostAndWait(stream_, values.data(), from, values.size() * sizeof(T)),
           "copy to the host");
    }
    return values;
  }
  void Free() { Need(Release(), "cudaFree"); }

  template <typename View>
  void Batch(const View& view, const DeviceBatchRequest& request) {
    const LaunchPlan plan = PlanBatch(view, request);
    Done(LaunchBatch(stream_, plan, view, request, Scratch(plan)), "LaunchBatch");
  }
  template <typename View>
  void Rows(const View& view, const DeviceRowsRequest& request, int64_t most_sampled,
            int64_t total) {
    const LaunchPlan plan = PlanRows(view, request, most_sampled, total);
    Done(LaunchRows(stream_, plan, view, request, most_sampled, total, Scratch(plan)),
         "LaunchRows");
  }
  template <typename View>
  void Probabilities(const View& view, const int64_t* ids, int64_t count, float* out) {
    Done(LaunchProbabilities(stream_, view, ids, count, out), "LaunchProbabilities");
  }
  void Build(const LearnedCounts& learned, int64_t total) {
    const LaunchPlan plan = PlanAdd(learned.range, 0);
    Done(LaunchBuild(stream_, plan, learned, total, Scratch(plan)), "LaunchBuild");
  }
  void Add(const LearnedCounts& learned, const int64_t* classes, int64_t count) {
    const LaunchPlan plan = PlanAdd(learned.range, count);
    Done(LaunchAdd(stream_, plan, learned, classes, count, Scratch(plan)), "LaunchAdd");
  }
  int64_t FindHits(const HitsInput& input, void** scratch) {
    *scratch = Scratch(PlanHits(input));
    int64_t found = -1;
    Done(LaunchFindHits(stream_, input, *scratch, &found), "LaunchFindHits");
    return found;
  }
  void WriteHits(const HitsInput& input, void* scratch, const HitsOutput& output) {
    Done(LaunchWriteHits(stream_, input, scratch, output), "LaunchWriteHits");
  }
  void All(const AllCandidates& all) {
    Done(LaunchAllCandidates(stream_, all), "LaunchAllCandidates");
  }
  template <typename W>
  void Gather(const DeviceRowTable<W>& table, const int64_t* ids, int64_t count, W* out) {
    Runtime runtime(this);
    Done(LaunchGatherRows(runtime, table, ids, count, out), "LaunchGatherRows");
  }
  int64_t Rank(const int64_t* ids, int64_t count, int64_t limit, int64_t* distinct,
               int64_t* ranks) {
    Runtime runtime(this);
    IdGroups groups;
    int64_t number = -1;
    Done(LaunchGroupRows(runtime, ids, count, limit, &groups, &number), "LaunchGroupRows");
    Done(LaunchRankIds(runtime, groups, distinct, ranks), "LaunchRankIds");
    return number;
  }
  template <typename T, typename W>
  void SampledClasses(const DeviceSampledForward<T, W>& forward, int64_t* counts) {
    Runtime runtime(this);
    Done(LaunchSampledClasses(runtime, forward, counts), "LaunchSampledClasses");
  }
  template <typename T, typename W>
  void SampledForward(const DeviceSampledForward<T, W>& forward) {
    WithProducts("LaunchSampledForward", [&](DeviceRuntime& runtime, MatrixProducts& products) {
      return LaunchSampledForward(runtime, products, forward);
    });
  }
  template <typename T, typename W>
  void SampledBackward(const DeviceSampledBackward<T, W>& backward) {
    WithProducts("LaunchSampledBackward", [&](DeviceRuntime& runtime, MatrixProducts& products) {
      return LaunchSampledBackward(runtime, products, backward);
    });
  }
  template <typename T, typename W>
  void RaggedForward(const DeviceRaggedForward<T, W>& forward) {
    Runtime runtime(this);
    Done(LaunchRaggedForward(runtime, forward), "LaunchRaggedForward");
  }
  template <typename T, typename W>
  void RaggedLogits(const DeviceRaggedLogits<T, W>& logits) {
    Runtime runtime(this);
    Done(LaunchRaggedLogits(runtime, logits), "LaunchRaggedLogits");
  }
  template <typename T, typename W>
  void RaggedScoresBackward(const DeviceRaggedScoresBackward<T, W>& backward) {
    Runtime runtime(this);
    Done(LaunchRaggedScoresBackward(runtime, backward), "LaunchRaggedScoresBackward");
  }
  template <typename T, typename A>
  void ScaleByRow(const A* unscaled, const A* row_factor, int64_t rows, int64_t depth, T* out) {
    Runtime runtime(this);
    Done(LaunchScaleByRow(runtime, unscaled, row_factor, rows, depth, out), "LaunchScaleByRow");
  }
  template <typename T, typename W>
  int64_t SumRaggedClasses(const DeviceRaggedGradient<T, Accumulator<W>>& gradient,
                           int64_t num_classes, int64_t* class_ids, RaggedClassGradients<W>* out) {
    Runtime runtime(this);
    RaggedClasses<Accumulator<W>> classes;
    Done(LaunchGroupRaggedClasses(runtime, gradient, num_classes, &classes, &out->distinct),
         "LaunchGroupRaggedClasses");
    Done(LaunchRankIds(runtime, classes.groups, class_ids, nullptr), "LaunchRankIds");
    Done(LaunchSumRaggedClasses<T, W>(runtime, gradient, classes, *out), "LaunchSumRaggedClasses");
    return out->distinct;
  }
  template <typename T, typename W>
  void FullSoftmax(const DeviceFullSoftmax<T, W>& forward) {
    WithProducts("LaunchFullSoftmax", [&](DeviceRuntime& runtime, MatrixProducts& products) {
      return LaunchFullSoftmax(runtime, products, forward);
    });
  }
  template <typename T, typename W>
  void FullSoftmaxBackward(const DeviceFullSoftmaxBackward<T, W>& backward) {
    WithProducts("LaunchFullSoftmaxBackward",
                 [&](DeviceRuntime& runtime, MatrixProducts& products) {
                   return LaunchFullSoftmaxBackward(runtime, products, backward);
                 });
  }
  template <typename T, typename W>
  void LabelRanks(const DeviceRanking<T, W>& ranking) {
    WithProducts("LaunchLabelRanks", [&](DeviceRuntime& runtime, MatrixProducts& products) {
      return LaunchLabelRanks(runtime, products, ranking);
    });
  }
  template <typename T, typename W>
  void TopClasses(const DeviceTopClasses<T, W>& top) {
    WithProducts("LaunchTopClasses", [&](DeviceRuntime& runtime, MatrixProducts& products) {
      return LaunchTopClasses(runtime, products, top);
    });
  }
  template <typename W, typename Formula>
  void UpdateTable(const Formula& formula, const DeviceRowUpdate<W>& rows) {
    Runtime runtime(this);
    Done(LaunchUpdateRows(runtime, formula, rows), "LaunchUpdateRows");
  }
  template <typename T>
  int64_t SumRows(const int64_t* ids, int64_t count, int64_t limit, const T* slices, int64_t depth,
                  int64_t* rows, T* sums) {
    Runtime runtime(this);
    IdGroups groups;
    int64_t distinct = -1;
    Done(LaunchGroupRows(runtime, ids, count, limit, &groups, &distinct), "LaunchGroupRows");
    Done(LaunchSumRows(runtime, groups, slices, depth, rows, sums), "LaunchSumRows");
    return distinct;
  }

 private:
  class Runtime : public DeviceRuntime {
   public:
    explicit Runtime(CudaBackend* backend) : backend_(backend) {}
    CudaStream stream() const override { return backend_->stream_; }
    void* AllocateBytes(size_t bytes) override { return backend_->Poisoned(bytes); }

   private:
    CudaBackend* backend_;
  };

  template <typename Launch>
  void WithProducts(const char* what, Launch launch) {
    Runtime runtime(this);
    CublasLtProducts products(/*tf32=*/false);
    const int error = launch(runtime, products);
    if (error == CublasLtProducts::kFailed) throw std::runtime_error(products.error());
    Done(error, what);
  }

  void* Allocate(size_t bytes) {
    void* memory = nullptr;
    if (bytes == 0) return memory;
    Need(cudaMalloc(&memory, bytes), "cudaMalloc");
    memory_.push_back(memory);
    return memory;
  }
  int Release() {
    int error = cudaSuccess;
    for (void* memory : memory_) {
      const int freed = cudaFree(memory);
      if (error == cudaSuccess) error = freed;
    }
    memory_.clear();
    return error;
  }
  void* Scratch(const LaunchPlan& plan) {
    Need(plan.error, "planning a launch");
    return Poisoned(plan.scratch_bytes);
  }
  void* Poisoned(size_t bytes) {
    void* const memory = Allocate(bytes);
    if (poison_ && memory) Need(cudaMemsetAsync(memory, 0xff, bytes, stream_), "cudaMemset");
    return memory;
  }
  void Done(int error, const char* what) {
    Need(error, what);
    Need(cudaStreamSynchronize(stream_), what);
  }

  bool poison_;
  cudaStream_t stream_;
  std::vector<void*> memory_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CUDA_BACKEND_H_
