// The samplers on a device: what launches their kernels. Free of TensorFlow, and of CUDA's headers.
//
// Nothing here waits for the device, except where it says so. Pointers are to the device's memory.
// What returns an int returns a cudaError_t, of which 0 is success. Ids are those that the CPU
// draws, and expected counts have the same bits.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_

#include <stddef.h>
#include <stdint.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/samplers/distributions.h"

namespace candsamp {

// Where a call's random numbers begin: a value, or [counter's lower half, its upper half, key] in
// the device's memory.
struct StreamOrigin {
  PhiloxStream value;
  const int64_t* device;

  static CANDSAMP_METHOD StreamOrigin Of(const PhiloxStream& value) { return {value, nullptr}; }
  static CANDSAMP_METHOD StreamOrigin At(const int64_t* device) { return {{0, 0, 0}, device}; }
  CANDSAMP_DEVICE PhiloxStream Read() const {
    if (!device) return value;
    return {static_cast<uint64_t>(device[2]), static_cast<uint64_t>(device[1]),
            static_cast<uint64_t>(device[0])};
  }
};

// A batch: num_sampled candidates. An expected count is NaN where a true class is out of range.
// REQUIRES: 0 < num_sampled <= 2^40, and at most the source's support if unique.
struct BatchDraw {
  StreamOrigin stream;
  int64_t num_sampled;
  bool unique;
  bool exact;
  int64_t num_true;             // altogether
  const int64_t* true_classes;  // [num_true]
  int64_t* candidates;          // [num_sampled], aligned to 16 bytes
  float* sampled_count;         // [num_sampled], aligned to 8
  float* true_count;            // [num_true]
};

// Rows: candidates of their own for each. With exclude_true a row's true classes are not drawn;
// where too few are left, the candidates that are missing are -1, with an expected count of NaN.
// REQUIRES: row splits are what they should be.
struct RowsDraw {
  StreamOrigin stream;
  int64_t rows;
  const int64_t* splits;  // [rows + 1]
  bool unique;
  bool exact;
  bool exclude_true;
  int64_t num_true;             // altogether
  const int64_t* true_classes;  // [num_true]
  const int64_t* true_splits;   // [rows + 1]
  int64_t* candidates;          // [splits[rows]]
  float* expected_count;        // [splits[rows]]
};

template <typename View>
LaunchPlan PlanBatch(const View& view, const BatchDraw& draw);
template <typename View>
int LaunchBatch(CudaStream stream, const LaunchPlan& plan, const View& view, const BatchDraw& draw,
                void* scratch);

// most_sampled: the largest row's number of candidates; total: that of all rows.
template <typename View>
LaunchPlan PlanRows(const View& view, const RowsDraw& draw, int64_t most_sampled, int64_t total);
template <typename View>
int LaunchRows(CudaStream stream, const LaunchPlan& plan, const View& view, const RowsDraw& draw,
               int64_t most_sampled, int64_t total, void* scratch);

// out[k] = the probability of ids[k], NaN where it is out of range.
template <typename View>
int LaunchProbabilities(CudaStream stream, const View& view, const int64_t* ids, int64_t count,
                        float* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_
