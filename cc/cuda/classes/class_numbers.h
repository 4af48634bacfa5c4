// SPDX-License-Identifier: Apache-2.0
// Numbers the distinct classes of candidates and labels as they first occur, candidates first: the
// twin of cc/lib/classes/distinct_classes.h.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_

#include "cc/cuda/classes/id_set.h"
#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

struct ClassNumbersInput {
  const int64_t* candidates;
  int64_t num_candidates;
  const int64_t* labels;
  int64_t num_labels;
  int64_t num_classes;  // all ids that are no class are one of this id

  CANDSAMP_METHOD int64_t size() const { return num_candidates + num_labels; }
};

struct ClassNumbersOutput {
  int64_t* of_candidates;  // [num_candidates]
  int64_t* of_labels;      // [num_labels]
  int64_t* class_ids;      // by number; room for one of each candidate and label
};

// One launch:
//  1. Each position, of a candidate or a label, puts its class into a set, in which a class keeps
//     its first position.
//  2. A scan over the first positions numbers their classes.
//  3. Each position looks the number of its class up.
struct NumberClassesKernel {
  ClassNumbersInput input;
  ClassNumbersOutput output;
  int64_t slots;
  uint64_t* set;       // for a DeviceIdSet of so many slots
  int64_t* of_slots;   // [slots] the numbers of the classes there
  uint64_t* partials;  // of the grid's scans
  int64_t* counts;     // distinct candidates; all distinct classes

  // The set is half full at most.
  static int64_t Slots(int64_t size) { return 2 * size + 16; }

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    GridTeam<Block> team(block, partials);
    DeviceIdSet classes(set, slots);
    classes.Clear(team);
    team.Sync();
    const int64_t size = input.size(), each = (size + team.size() - 1) / team.size();
    const int64_t begin = Least(team.rank() * each, size), end = Least(begin + each, size);
    for (int64_t k = begin; k < end; ++k) {
      *At(k) = classes.Insert(static_cast<uint64_t>(IdOf(k)), static_cast<uint64_t>(k));
    }
    team.Sync();
    int64_t firsts = 0;
    for (int64_t k = begin; k < end; ++k) firsts += IsFirst(classes, k);
    int64_t all;
    int64_t number = team.ExclusiveScan(firsts, int64_t{0}, AddNumbers(), &all);
    for (int64_t k = begin; k < end; ++k) {
      if (k == input.num_candidates) counts[0] = number;
      if (!IsFirst(classes, k)) continue;
      of_slots[*At(k)] = number;
      output.class_ids[number++] = IdOf(k);
    }
    if (team.rank() == 0) {
      counts[1] = all;
      if (input.num_labels == 0) counts[0] = all;
    }
    team.Sync();
    for (int64_t k = begin; k < end; ++k) *At(k) = of_slots[*At(k)];
  }

 private:
  CANDSAMP_DEVICE int64_t IdOf(int64_t k) const {
    const int64_t id =
        k < input.num_candidates ? input.candidates[k] : input.labels[k - input.num_candidates];
    return id < 0 || id > input.num_classes ? input.num_classes : id;
  }
  // Where the number of a position goes; its slot is kept there before.
  CANDSAMP_DEVICE int64_t* At(int64_t k) const {
    return k < input.num_candidates ? output.of_candidates + k
                                    : output.of_labels + (k - input.num_candidates);
  }
  CANDSAMP_DEVICE bool IsFirst(const DeviceIdSet& classes, int64_t k) const {
    return classes.IsFirst(*At(k), static_cast<uint64_t>(k));
  }
};

// Writes to counts[2], in the host's memory, how many distinct candidates and how many distinct
// classes there are: it waits for those. Before that it calls meanwhile(counts in the device's
// memory), which may launch more.
template <typename Launcher, typename Meanwhile>
int NumberClassesOn(Launcher& launcher, DeviceRuntime& runtime, const ClassNumbersInput& input,
                    const ClassNumbersOutput& output, int64_t* counts, Meanwhile meanwhile) {
  const int64_t slots = NumberClassesKernel::Slots(input.size());
  const LaunchPlan plan = launcher.template Plan<NumberClassesKernel>(
      (input.size() + launcher.threads() - 1) / launcher.threads(),
      [&](int blocks) { return 3 * slots + kPartialWords * blocks + 2; });
  if (plan.error != 0) return plan.error;
  char* const scratch = runtime.Allocate<char>(plan.scratch_bytes);
  if (runtime.error() != 0) return runtime.error();
  // Partials come first: their alignment is the largest.
  uint64_t* const partials = reinterpret_cast<uint64_t*>(scratch);
  uint64_t* const set = partials + kPartialWords * plan.blocks;
  int64_t* const of_slots = reinterpret_cast<int64_t*>(set + 2 * slots);
  int64_t* const device_counts = of_slots + slots;
  launcher.Together(plan.blocks, NumberClassesKernel{input, output, slots, set, of_slots, partials,
                                                     device_counts});
  launcher.NumbersToHostAndWait(counts, device_counts, 2 * sizeof *counts,
                                [&] { meanwhile(device_counts); });
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_
