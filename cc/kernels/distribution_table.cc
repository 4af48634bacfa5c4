#include "cc/kernels/distribution_table.h"

#include <algorithm>

#include "cc/kernels/sampling.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::Var;

absl::Status LearnedUnigramTable::BringUpToDate(Var* counts) {
  if (IsOf(counts)) return absl::OkStatus();
  distribution_.reset();
  counts_ = Tensor();
  if (!counts->is_initialized) {
    return absl::FailedPreconditionError("counts is a variable that is not initialized");
  }
  const Tensor& tensor = *counts->tensor();
  const int64_t range = tensor.NumElements();
  if (tensor.dtype() != tensorflow::DT_INT64 || tensor.dims() != 1 || range < 1 ||
      range > kMostLearnedClasses) {
    return absl::InvalidArgumentError(absl::StrCat(
        "counts must be an int64 vector of 1 to ", kMostLearnedClasses, " values, got ",
        tensorflow::DataTypeString(tensor.dtype()), " of shape ", tensor.shape().DebugString()));
  }
  int64_t* values = MutableData<int64_t>(counts->tensor());
  const int64_t bad = LearnedUnigram::FirstBadCount(values, range);
  if (bad >= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "counts must not be negative, and with one more for each class sum to at most 2^62, got ",
        values[bad], " for class ", bad));
  }
  distribution_ = std::make_unique<LearnedUnigram>(values, range);
  counts_ = tensor;
  // In the mode that sparse updates switch on, TensorFlow would write into the tensor in spite of
  // our reference; the next one switches it on again, after giving the variable a tensor of its
  // own.
  counts->copy_on_read_mode = false;
  return absl::OkStatus();
}

absl::Status LearnedUnigramTable::Count(OpKernelContext* context, Var* counts, const char* name,
                                        const Tensor& classes) {
  std::lock_guard<tensorflow::mutex> variable_lock(*counts->mu());
  std::lock_guard<std::shared_mutex> lock(mutex_);
  TF_RETURN_IF_ERROR(BringUpToDate(counts));
  TF_RETURN_IF_ERROR(CheckClasses(name, classes, distribution_->range()));
  if (classes.NumElements() > kMostLearnedCount - distribution_->total()) {
    return absl::InvalidArgumentError(absl::StrCat("counts must sum to at most 2^62, got ",
                                                   distribution_->total(), " and ",
                                                   classes.NumElements(), " more"));
  }
  // Readers of the variable, such as a checkpoint being written, may hold its tensor.
  counts_ = Tensor();
  if (!counts->tensor()->RefCountIsOne()) {
    Tensor copy;
    const absl::Status allocated =
        context->allocate_temp(tensorflow::DT_INT64, counts->tensor()->shape(), &copy);
    if (!allocated.ok()) {
      distribution_.reset();
      return allocated;
    }
    std::copy_n(Data<int64_t>(*counts->tensor()), copy.NumElements(), MutableData<int64_t>(&copy));
    *counts->tensor() = copy;
    distribution_->MoveTo(MutableData<int64_t>(counts->tensor()));
  }
  distribution_->Add(Data<int64_t>(classes), classes.NumElements());
  counts_ = *counts->tensor();
  return absl::OkStatus();
}

}  // namespace candsamp
