// SPDX-License-Identifier: Apache-2.0
// The kernels of the row optimizers on a CPU.
#include <algorithm>
#include <cstring>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/devices.h"
#include "cc/kernels/optimizers/row_update_ops.h"

namespace candsamp {

template <>
struct RowUpdates<CpuDevice> {
  // On all threads.
  static absl::Status Copy(OpKernelContext*, OpRuntime& runtime, void* to, const void* from,
                           size_t bytes) {
    constexpr int64_t kPiece = int64_t{1} << 16, kCyclesOfPiece = kPiece / 4;
    const int64_t size = static_cast<int64_t>(bytes);
    runtime.ParallelFor(
        (size + kPiece - 1) / kPiece, kCyclesOfPiece, [&](int64_t begin, int64_t end) {
          const int64_t first = begin * kPiece;
          std::memcpy(static_cast<char*>(to) + first, static_cast<const char*>(from) + first,
                      std::min(end * kPiece, size) - first);
        });
    return absl::OkStatus();
  }

  template <typename A>
  static absl::Status Gradients(OpKernelContext*, OpRuntime& runtime, const Slices& slices,
                                const A** gradients) {
    return InTypeOfArithmetic(runtime, "gradient", *slices.gradient, gradients);
  }

  static absl::Status CheckIndices(const Slices& slices, int64_t rows) {
    return CheckClassIds("indices", *slices.indices, {rows, "", ", the table's rows"});
  }

  template <typename W, typename Formula>
  static absl::Status Update(OpKernelContext*, OpRuntime& runtime, const Formula& formula,
                             const OptimizedTable<W>& table, const Slices& slices,
                             const Accumulator<W>* gradients) {
    UpdateRows(runtime, formula, table, Data<int64_t>(*slices.indices), slices.size(), gradients);
    return absl::OkStatus();
  }
};

#define CANDSAMP_REGISTER_UPDATE(op, Kernel, W)                               \
  REGISTER_KERNEL_BUILDER(Name("Candsamp>" op)                                \
                              .Device(tensorflow::DEVICE_CPU)                 \
                              .TypeConstraint<typename TfType<W>::type>("W"), \
                          Kernel<CpuDevice, W>);
#define CANDSAMP_REGISTER_FLOAT(op, Kernel) CANDSAMP_REGISTER_UPDATE(op, Kernel, float)
#define CANDSAMP_REGISTER_DOUBLE(op, Kernel) CANDSAMP_REGISTER_UPDATE(op, Kernel, double)
#define CANDSAMP_REGISTER_BFLOAT16(op, Kernel) CANDSAMP_REGISTER_UPDATE(op, Kernel, Bfloat16)
#define CANDSAMP_REGISTER_HALF(op, Kernel) CANDSAMP_REGISTER_UPDATE(op, Kernel, Half)

CANDSAMP_FOR_EACH_ROW_UPDATE(CANDSAMP_REGISTER_FLOAT)
CANDSAMP_FOR_EACH_ROW_UPDATE(CANDSAMP_REGISTER_DOUBLE)
CANDSAMP_FOR_EACH_ROW_UPDATE(CANDSAMP_REGISTER_BFLOAT16)
CANDSAMP_FOR_EACH_ROW_UPDATE(CANDSAMP_REGISTER_HALF)

}  // namespace candsamp
