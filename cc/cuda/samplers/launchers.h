// SPDX-License-Identifier: Apache-2.0
// Launches of the samplers: batches, rows and probabilities. See launch.h for their protocol.
//
// A device draws the ids that the CPU draws, and expected counts have the same bits. The launchers
// exist for the four Views that this header includes.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_

#include <stddef.h>
#include <stdint.h>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/samplers/fixed_unigram.h"
#include "cc/cuda/samplers/learned_unigram.h"
#include "cc/cuda/samplers/log_uniform.h"
#include "cc/cuda/samplers/uniform.h"

namespace candsamp {

// Where a call's Philox stream begins: a value, or three words in the device's memory, which are
// the lower half of the counter, its upper half, and the key.
struct StreamStart {
  PhiloxStream value;
  const int64_t* device;

  static CANDSAMP_METHOD StreamStart Of(const PhiloxStream& value) { return {value, nullptr}; }
  static CANDSAMP_METHOD StreamStart At(const int64_t* device) { return {{0, 0, 0}, device}; }
  CANDSAMP_DEVICE PhiloxStream Read() const { return device ? StreamOfWords(device) : value; }
};

// Candidates for a batch. An expected count is NaN where a true class is out of range.
// REQUIRES: 0 < num_sampled <= 2^40, and at most the view's support() if unique.
struct DeviceBatchRequest {
  StreamStart stream;
  int64_t num_sampled;
  bool unique;
  bool exact_counts;
  int64_t true_total;             // the length of true_classes, of all examples
  const int64_t* true_classes;    // [true_total]
  int64_t* candidates;            // [num_sampled], aligned to 16 bytes
  float* sampled_expected_count;  // [num_sampled], aligned to 8 bytes
  float* true_expected_count;     // [true_total]
};

// Candidates for each row. With exclude_true, a row's true classes are not drawn; where too few
// classes are left, the missing candidates are -1, with an expected count of NaN.
// REQUIRES: splits and true_splits begin with 0 and do not decrease; true_splits ends with
// true_total. Only with exclude_true, true_splits are read.
struct DeviceRowsRequest {
  StreamStart stream;
  int64_t rows;
  const int64_t* splits;  // [rows + 1]: row i's candidates lie at [splits[i], splits[i + 1])
  bool unique;
  bool exact_counts;
  bool exclude_true;
  int64_t true_total;           // the length of true_classes, of all rows
  const int64_t* true_classes;  // [true_total]
  const int64_t* true_splits;   // [rows + 1]
  int64_t* candidates;          // [splits[rows]]
  float* expected_count;        // [splits[rows]]
};

template <typename View>
LaunchPlan PlanBatch(const View& view, const DeviceBatchRequest& request);
template <typename View>
int LaunchBatch(CudaStream cuda_stream, const LaunchPlan& plan, const View& view,
                const DeviceBatchRequest& request, void* scratch);

// most_sampled: the number of candidates of the largest row; total: that of all rows.
template <typename View>
LaunchPlan PlanRows(const View& view, const DeviceRowsRequest& request, int64_t most_sampled,
                    int64_t total);
template <typename View>
int LaunchRows(CudaStream cuda_stream, const LaunchPlan& plan, const View& view,
               const DeviceRowsRequest& request, int64_t most_sampled, int64_t total,
               void* scratch);

// out[k] = the probability of ids[k], NaN where it is out of range.
template <typename View>
int LaunchProbabilities(CudaStream cuda_stream, const View& view, const int64_t* ids, int64_t count,
                        float* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_LAUNCHERS_H_
