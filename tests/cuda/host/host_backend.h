// SPDX-License-Identifier: Apache-2.0
// A backend for the checks (tests/cuda/checks): threads of the host that stand for a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_HOST_HOST_BACKEND_H_
#define TF_CANDSAMP_TESTS_CUDA_HOST_HOST_BACKEND_H_

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/classes/all_candidates.h"
#include "cc/cuda/exact/launchers.h"
#include "cc/cuda/losses/ragged_launchers.h"
#include "cc/cuda/losses/sampled_launchers.h"
#include "cc/cuda/optimizers/launchers.h"
#include "cc/cuda/samplers/draw_batch.h"
#include "cc/cuda/samplers/draw_rows.h"
#include "cc/cuda/samplers/learned_unigram_kernel.h"
#include "tests/cuda/host/host_launcher.h"
#include "tests/cuda/host/host_products.h"

namespace candsamp {

class HostBackend {
 public:
  explicit HostBackend(GridShape shape) : launcher_(shape) {}

  // Not a byte more than asked for: AddressSanitizer sees what reads or writes beyond.
  template <typename T>
  T* Upload(const std::vector<T>& values) {
    T* const memory = static_cast<T*>(Allocate(values.size() * sizeof(T)));
    std::copy(values.begin(), values.end(), memory);
    return memory;
  }
  template <typename T>
  std::vector<T> Download(const T* from, int64_t count) {
    return std::vector<T>(from, from + count);
  }
  void Free() { memory_.clear(); }

  template <typename View>
  void Batch(const View& view, const DeviceBatchRequest& request) {
    const LaunchPlan plan = PlanBatchOn(launcher_, view, request);
    LaunchBatchOn(launcher_, plan, view, request, Scratch(plan));
  }
  template <typename View>
  void Rows(const View& view, const DeviceRowsRequest& request, int64_t most_sampled,
            int64_t total) {
    const LaunchPlan plan = PlanRowsOn(launcher_, view, request, most_sampled, total);
    LaunchRowsOn(launcher_, plan, view, request, most_sampled, total, Scratch(plan));
  }
  template <typename View>
  void Probabilities(const View& view, const int64_t* ids, int64_t count, float* out) {
    LaunchProbabilitiesOn(launcher_, view, ids, count, out);
  }
  void Build(const LearnedCounts& learned, int64_t total) {
    const LaunchPlan plan = PlanAddOn(launcher_, learned.range, 0);
    LaunchBuildOn(launcher_, plan, learned, total, Scratch(plan));
  }
  void Add(const LearnedCounts& learned, const int64_t* classes, int64_t count) {
    const LaunchPlan plan = PlanAddOn(launcher_, learned.range, count);
    LaunchAddOn(launcher_, plan, learned, classes, count, Scratch(plan));
  }
  int64_t FindHits(const HitsInput& input, void** scratch) {
    *scratch = Scratch(PlanHitsOn(launcher_, input));
    int64_t found = -1;
    LaunchFindHitsOn(launcher_, input, *scratch, &found);
    return found;
  }
  void WriteHits(const HitsInput& input, void* scratch, const HitsOutput& output) {
    LaunchWriteHitsOn(launcher_, input, scratch, output);
  }
  void All(const AllCandidates& all) { LaunchAllCandidatesOn(launcher_, all); }
  template <typename W>
  void Gather(const DeviceRowTable<W>& table, const int64_t* ids, int64_t count, W* out) {
    GatherRows(launcher_, table, ids, count, out);
  }
  int64_t Rank(const int64_t* ids, int64_t count, int64_t limit, int64_t* distinct,
               int64_t* ranks) {
    Runtime runtime(this);
    IdGroups groups;
    int64_t number = -1;
    GroupRowsOn(launcher_, runtime, ids, count, limit, &groups, &number);
    WriteGroupIds(launcher_, groups, distinct);
    launcher_.ForEach(count, WriteRanksKernel{groups, ranks});
    return number;
  }
  template <typename T, typename W>
  void SampledClasses(const DeviceSampledForward<T, W>& forward, int64_t* counts) {
    Runtime runtime(this);
    SampledClassesOn(launcher_, runtime, forward, counts);
  }
  template <typename T, typename W>
  void SampledForward(const DeviceSampledForward<T, W>& forward) {
    Runtime runtime(this);
    HostProducts products;
    SampledForwardOn(launcher_, runtime, products, forward);
  }
  template <typename T, typename W>
  void SampledBackward(const DeviceSampledBackward<T, W>& backward) {
    Runtime runtime(this);
    HostProducts products;
    SampledBackwardOn<T, W, HostLauncher>(launcher_, runtime, products, backward).Run();
  }
  template <typename T, typename W>
  void RaggedForward(const DeviceRaggedForward<T, W>& forward) {
    Runtime runtime(this);
    RaggedForwardOn(launcher_, runtime, forward);
  }
  template <typename T, typename W>
  void RaggedLogits(const DeviceRaggedLogits<T, W>& logits) {
    RaggedLogitsOn(launcher_, logits);
  }
  template <typename T, typename W>
  void RaggedScoresBackward(const DeviceRaggedScoresBackward<T, W>& backward) {
    Runtime runtime(this);
    RaggedScoresBackwardOn(launcher_, runtime, backward);
  }
  template <typename T, typename A>
  void ScaleByRow(const A* unscaled, const A* row_factor, int64_t rows, int64_t depth, T* out) {
    launcher_.ForEachLaneGroup(rows,
                               ScaleByRowKernel<T, A>{unscaled, row_factor, rows, depth, out});
  }
  // Returns the number of classes; sums them if there is room for so many.
  template <typename T, typename W>
  int64_t SumRaggedClasses(const DeviceRaggedGradient<T, Accumulator<W>>& gradient,
                           int64_t num_classes, int64_t* class_ids, RaggedClassGradients<W>* out) {
    Runtime runtime(this);
    RaggedClasses<Accumulator<W>> classes;
    GroupRaggedClassesOn(launcher_, runtime, gradient, num_classes, &classes, &out->distinct);
    WriteGroupIds(launcher_, classes.groups, class_ids);
    SumRaggedClassesOn<T, W>(launcher_, runtime, gradient, classes, *out);
    return out->distinct;
  }
  template <typename T, typename W>
  void FullSoftmax(const DeviceFullSoftmax<T, W>& forward) {
    Runtime runtime(this);
    HostProducts products;
    FullSoftmaxOn(launcher_, runtime, products, forward);
  }
  template <typename T, typename W>
  void FullSoftmaxBackward(const DeviceFullSoftmaxBackward<T, W>& backward) {
    Runtime runtime(this);
    HostProducts products;
    FullSoftmaxBackwardOn(launcher_, runtime, products, backward);
  }
  template <typename T, typename W>
  void LabelRanks(const DeviceRanking<T, W>& ranking) {
    Runtime runtime(this);
    HostProducts products;
    LabelRanksOn(launcher_, runtime, products, ranking);
  }
  template <typename T, typename W>
  void TopClasses(const DeviceTopClasses<T, W>& top) {
    Runtime runtime(this);
    HostProducts products;
    TopClassesOn(launcher_, runtime, products, top);
  }
  template <typename W, typename Formula>
  void UpdateTable(const Formula& formula, const DeviceRowUpdate<W>& rows) {
    Runtime runtime(this);
    UpdateRowsOn(launcher_, runtime, formula, rows);
  }
  template <typename T>
  int64_t SumRows(const int64_t* ids, int64_t count, int64_t limit, const T* slices, int64_t depth,
                  int64_t* rows, T* sums) {
    Runtime runtime(this);
    IdGroups groups;
    int64_t distinct = -1;
    GroupRowsOn(launcher_, runtime, ids, count, limit, &groups, &distinct);
    SumRowsOn(launcher_, runtime, groups, slices, depth, rows, sums);
    return distinct;
  }

 private:
  // Memory whose bits are NaNs.
  class Runtime : public DeviceRuntime {
   public:
    explicit Runtime(HostBackend* backend) : backend_(backend) {}
    CudaStream stream() const override { return nullptr; }
    void* AllocateBytes(size_t bytes) override {
      return backend_->Upload(std::vector<char>(bytes, '\xff'));
    }

   private:
    HostBackend* backend_;
  };

  void* Allocate(size_t bytes) {
    memory_.emplace_back(std::aligned_alloc(64, (bytes + 64) / 64 * 64), std::free);
    return memory_.back().get();
  }
  // Filled with bits that are NaNs.
  void* Scratch(const LaunchPlan& plan) {
    return Upload(std::vector<uint64_t>(plan.scratch_bytes / 8, ~uint64_t{0}));
  }

  HostLauncher launcher_;
  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_HOST_HOST_BACKEND_H_
