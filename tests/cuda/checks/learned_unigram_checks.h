// SPDX-License-Identifier: Apache-2.0
// Checks of the updates of a learned-unigram distribution.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_LEARNED_UNIGRAM_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_LEARNED_UNIGRAM_CHECKS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cc/lib/samplers/draw_candidates.h"
#include "tests/cuda/checks/checked_distribution.h"

namespace candsamp {

// The first difference between the slots that a device keeps and the CPU's.
template <typename Backend>
std::string CompareSlots(Backend& backend, const LearnedUnigram& cpu,
                         const LearnedCounts& learned) {
  const SlotBlocks& blocks = cpu.blocks();
  const SlotTable table = cpu.table();
  const SlotState state = backend.Download(learned.state, 1)[0];
  const auto layout = [](int64_t total, const SlotBlocks& blocks, const SlotTable& table) {
    return std::vector<int64_t>{total, blocks.num_blocks, blocks.places, table.shift,
                                static_cast<int64_t>(table.of_block)};
  };
  std::string problem = Difference("layout", layout(cpu.total(), blocks, table),
                                   layout(state.total, state.slot_blocks, state.table));
  if (!problem.empty()) return problem;
  const int64_t size = blocks.num_blocks * blocks.places;
  const std::vector<uint32_t> places(table.classes, table.classes + size);
  const std::vector<uint32_t> got_places = backend.Download(learned.places, size);
  problem = Difference("places", places, got_places);
  if (!problem.empty()) return problem;
  const std::vector<int64_t> counts(table.counts, table.counts + learned.range);
  problem = Difference("counts", counts, backend.Download(learned.counts, learned.range));
  if (!problem.empty()) return problem;
  return Difference("copy of the counts", counts, backend.Download(learned.copy, learned.range));
}

// Adds batches of classes to the counts; draws after each.
template <typename Backend>
std::string CheckUpdates(Backend& backend, std::vector<int64_t> counts,
                         const std::vector<std::vector<int64_t>>& updates) {
  const int64_t range = static_cast<int64_t>(counts.size());
  int64_t more = 0;
  for (const auto& update : updates) more += static_cast<int64_t>(update.size());
  const LearnedCounts learned = UploadLearned(backend, counts, more);
  LearnedUnigram cpu(counts.data(), range);
  const int64_t draws = 300;
  std::string problem;
  for (size_t k = 0; k < updates.size() && problem.empty(); ++k) {
    cpu.Add(updates[k].data(), static_cast<int64_t>(updates[k].size()));
    // Ids out of range change nothing.
    std::vector<int64_t> classes = updates[k];
    classes.push_back(-1);
    classes.insert(classes.begin(), range);
    backend.Add(learned, backend.Upload(classes), static_cast<int64_t>(classes.size()));
    SerialRuntime runtime;
    std::vector<int64_t> ids(draws);
    std::vector<float> expected(draws);
    const PhiloxStream stream = {k, 1, 2};
    DrawCandidates(runtime, cpu, stream, {draws, false, false}, ids.data(), expected.data());
    DeviceBatchRequest request = {};
    request.stream = StreamStart::Of(stream);
    request.num_sampled = draws;
    request.candidates = backend.Upload(std::vector<int64_t>(draws));
    request.sampled_expected_count = backend.Upload(std::vector<float>(draws));
    backend.Batch(LearnedUnigramView(range, learned.counts, learned.state), request);
    problem =
        CompareSlots(backend, cpu, learned) +
        Difference(" counts", counts, backend.Download(learned.counts, range)) +
        Difference(" candidates", ids, backend.Download(request.candidates, draws)) +
        Difference(" expected", expected, backend.Download(request.sampled_expected_count, draws));
    if (!problem.empty()) problem = "update " + std::to_string(k) + ": " + problem;
  }
  backend.Free();
  return problem;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_LEARNED_UNIGRAM_CHECKS_H_
