// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/framework/status_kernel.h"

#include <exception>
#include <new>
#include <stdexcept>

namespace candsamp {
namespace {

absl::Status Described(absl::string_view op) {
  try {
    throw;
  } catch (const OutOfScratch& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat(op, ": no memory left for ", error.bytes(), " bytes of scratch space"));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(op, ": no memory left"));
  } catch (const std::length_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat(op, ": more than memory can hold: ", error.what()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(op, ": ", error.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(op, ": an exception of unknown type"));
  }
}

}  // namespace

absl::Status StatusOfException(absl::string_view op) noexcept {
  try {
    return Described(op);
  } catch (...) {
    // Not even the sentence fits into memory; without one a status takes none.
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

void StatusKernel::Compute(OpKernelContext* context) {
  // Not OP_REQUIRES_OK: it writes to the log, which takes memory.
  context->SetStatus(Caught(type_string_view(), [&] {
    OpRuntime runtime(context);
    return Run(context, runtime);
  }));
}

}  // namespace candsamp
