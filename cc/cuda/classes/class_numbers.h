// SPDX-License-Identifier: Apache-2.0
// Numbers the distinct classes of candidates and labels as they first occur, candidates first: the
// twin of cc/lib/classes/distinct_classes.h.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_

#include "cc/cuda/classes/id_groups.h"

namespace candsamp {

struct ClassNumbersInput {
  const int64_t* candidates;
  int64_t num_candidates;
  const int64_t* labels;
  int64_t num_labels;
  int64_t num_classes;  // all ids that are no class are one of this id
};

struct ClassNumbersOutput {
  int64_t* of_candidates;  // [num_candidates]
  int64_t* of_labels;      // [num_labels]
};

struct ClassNumbers {
  IdGroups groups;   // of candidates, then labels
  int64_t* numbers;  // [size + 1] how many classes occur first before each position; and at all

  // The number of a group: that of its first position.
  CANDSAMP_METHOD int64_t Of(int64_t group) const {
    return numbers[groups.order[groups.starts[group]]];
  }
};

struct MarkFirstsKernel {
  ClassNumbers classes;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const IdGroups& groups = classes.groups;
    for (int64_t k = GridRank(block); k <= groups.size; k += GridSize(block)) {
      if (k == groups.size) {
        classes.numbers[k] = 0;
      } else {
        classes.numbers[groups.order[k]] = groups.Begins(k) ? 1 : 0;
      }
    }
  }
};

struct WriteNumbersKernel {
  ClassNumbers classes;
  int64_t num_candidates;
  ClassNumbersOutput output;
  int64_t* counts;  // distinct candidates; all distinct classes

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const IdGroups& groups = classes.groups;
    for (int64_t k = GridRank(block); k < groups.size; k += GridSize(block)) {
      const int64_t position = groups.order[k], number = classes.Of(groups.GroupOf(k));
      if (position < num_candidates) {
        output.of_candidates[position] = number;
      } else {
        output.of_labels[position - num_candidates] = number;
      }
    }
    if (GridRank(block) == 0) {
      counts[0] = classes.numbers[num_candidates];
      counts[1] = classes.numbers[groups.size];
    }
  }
};

struct WriteClassIdsKernel {
  ClassNumbers classes;
  int64_t* class_ids;

  template <typename Block>
  CANDSAMP_DEVICE void operator()(Block& block) const {
    const IdGroups& groups = classes.groups;
    const int64_t count = groups.count();
    for (int64_t g = GridRank(block); g < count; g += GridSize(block)) {
      class_ids[classes.Of(g)] = groups.IdOf(g);
    }
  }
};

// Writes the numbers of candidates and labels, and to counts[2], in the host's memory, how many
// distinct candidates and how many distinct classes there are: it waits for those.
template <typename Launcher>
ClassNumbers NumberClasses(Launcher& launcher, DeviceRuntime& runtime,
                           const ClassNumbersInput& input, const ClassNumbersOutput& output,
                           int64_t* counts) {
  ClassNumbers classes;
  classes.groups = GroupIds(launcher, runtime, input.candidates, input.num_candidates, input.labels,
                            input.num_labels, input.num_classes);
  const int64_t size = classes.groups.size;
  size_t sum_bytes = 0;
  launcher.ExclusiveSum(nullptr, &sum_bytes, nullptr, size + 1);
  classes.numbers = runtime.Allocate<int64_t>(size + 1);
  int64_t* const device_counts = runtime.Allocate<int64_t>(2);
  char* const memory = runtime.Allocate<char>(sum_bytes);
  if (runtime.error() != 0) return classes;
  launcher.ForEach(size + 1, MarkFirstsKernel{classes});
  launcher.ExclusiveSum(memory, &sum_bytes, classes.numbers, size + 1);
  launcher.ForEach(size, WriteNumbersKernel{classes, input.num_candidates, output, device_counts});
  launcher.CopyToHostAndWait(counts, device_counts, 2 * sizeof *counts);
  return classes;
}

// Writes class_ids, [distinct classes] by number.
template <typename Launcher>
void WriteClassIds(Launcher& launcher, const ClassNumbers& classes, int64_t* class_ids) {
  launcher.ForEach(classes.groups.size, WriteClassIdsKernel{classes, class_ids});
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_CLASS_NUMBERS_H_
