// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/matrix/cublaslt_products.h"

#include <cuda_runtime_api.h>

#include <mutex>

namespace candsamp {
namespace {

using cublaslt::Functions;
using cublaslt::Object;

// The handle of the current device. A handle lives as long as the process.
int HandleOfDevice(const Functions& lt, Object* handle) {
  constexpr int kDevices = 64;
  static std::mutex mutex;
  static Object handles[kDevices];
  int device = 0;
  const int error = cudaGetDevice(&device);
  if (error != cudaSuccess || device >= kDevices) return error != cudaSuccess ? error : -1;
  const std::lock_guard<std::mutex> lock(mutex);
  if (handles[device] == nullptr) {
    const int status = lt.Create(&handles[device]);
    if (status != 0) return status;
  }
  *handle = handles[device];
  return 0;
}

int DataTypeOf(FactorType type) {
  switch (type) {
    case FactorType::kDouble:
      return cublaslt::kFloat64;
    case FactorType::kBfloat16:
      return cublaslt::kBfloat16;
    default:
      return cublaslt::kFloat32;
  }
}

// The largest power of two, up to 256, of which an address is a multiple.
uint32_t AlignmentOf(const void* address) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 256;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

// The objects that describe a product, destroyed with it. cuBLASLt's matrices lie column by
// column: a matrix that lies row by row is the transpose of one of those, so the factors change
// places.
class Description {
 public:
  explicit Description(const Functions& lt) : lt_(lt) {}
  ~Description() {
    if (preference_) lt_.MatmulPreferenceDestroy(preference_);
    if (product_) lt_.MatrixLayoutDestroy(product_);
    if (b_) lt_.MatrixLayoutDestroy(b_);
    if (a_) lt_.MatrixLayoutDestroy(a_);
    if (operation_) lt_.MatmulDescDestroy(operation_);
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

  int Describe(const MatrixProduct& p, bool tf32, size_t workspace_bytes) {
    const bool is_double = p.type == FactorType::kDouble;
    const int type = DataTypeOf(p.type);
    const int sum_type = is_double ? cublaslt::kFloat64 : cublaslt::kFloat32;
    int compute = is_double ? cublaslt::kComputeFloat64 : cublaslt::kComputeFloat32;
    if (p.type == FactorType::kTf32 || (p.type == FactorType::kFloat && tf32)) {
      compute = cublaslt::kComputeTf32;
    }
    Note(lt_.MatmulDescCreate(&operation_, compute, sum_type));
    SetOperation(cublaslt::kTransposeA, p.right.transposed);
    SetOperation(cublaslt::kTransposeB, p.left.transposed);
    Layout(&a_, type, p.right, p.inner, p.columns);
    Layout(&b_, type, p.left, p.rows, p.inner);
    if (status_ == 0) {
      Note(lt_.MatrixLayoutCreate(&product_, p.narrow ? type : sum_type, p.columns, p.rows,
                                  p.stride));
    }
    if (status_ == 0) Note(lt_.MatmulPreferenceCreate(&preference_));
    Prefer(cublaslt::kMostWorkspace, static_cast<uint64_t>(workspace_bytes));
    Prefer(cublaslt::kAlignmentA, AlignmentOf(p.right.values));
    Prefer(cublaslt::kAlignmentB, AlignmentOf(p.left.values));
    Prefer(cublaslt::kAlignmentC, AlignmentOf(p.product));
    Prefer(cublaslt::kAlignmentD, AlignmentOf(p.product));
    return status_;
  }

  int Run(Object handle, const MatrixProduct& p, void* workspace, void* stream) {
    cublaslt::Heuristic best = {};
    int found = 0;
    const int status = lt_.MatmulAlgoGetHeuristic(handle, operation_, a_, b_, product_, product_,
                                                  preference_, 1, &best, &found);
    if (status != 0 || found == 0) return status != 0 ? status : kNoAlgorithm;
    const float alpha_float = static_cast<float>(p.alpha), beta_float = p.adds ? 1 : 0;
    const double alpha = p.alpha, beta = p.adds ? 1 : 0;
    const bool is_double = p.type == FactorType::kDouble;
    const void* const at_alpha = is_double ? static_cast<const void*>(&alpha) : &alpha_float;
    const void* const at_beta = is_double ? static_cast<const void*>(&beta) : &beta_float;
    return lt_.Matmul(handle, operation_, at_alpha, p.right.values, a_, p.left.values, b_, at_beta,
                      p.product, product_, p.product, product_, &best.algorithm, workspace,
                      best.workspace_bytes, stream);
  }

 private:
  static constexpr int kNoAlgorithm = 15;  // CUBLAS_STATUS_NOT_SUPPORTED

  void Note(int status) {
    if (status_ == 0) status_ = status;
  }
  void SetOperation(int attribute, bool transposed) {
    const int32_t value = transposed ? cublaslt::kTransposed : cublaslt::kAsIs;
    if (status_ == 0) {
      Note(lt_.MatmulDescSetAttribute(operation_, attribute, &value, sizeof value));
    }
  }
  // A factor of [rows, columns] that lies row by row, or its transpose.
  void Layout(Object* layout, int type, const Factor& factor, int64_t rows, int64_t columns) {
    if (status_ != 0) return;
    Note(lt_.MatrixLayoutCreate(layout, type, factor.transposed ? rows : columns,
                                factor.transposed ? columns : rows, factor.stride));
  }
  template <typename Value>
  void Prefer(int attribute, Value value) {
    if (status_ == 0) {
      Note(lt_.MatmulPreferenceSetAttribute(preference_, attribute, &value, sizeof value));
    }
  }

  const Functions& lt_;
  Object operation_ = nullptr, a_ = nullptr, b_ = nullptr, product_ = nullptr,
         preference_ = nullptr;
  int status_ = 0;
};

}  // namespace

int CublasLtProducts::Multiply(DeviceRuntime& runtime, const MatrixProduct& product) {
  if (product.rows == 0 || product.columns == 0) return 0;
  const Functions* const lt = cublaslt::Load(&error_);
  if (lt == nullptr) return kFailed;
  if (product.inner == 0) {
    if (product.adds) return 0;
    const bool is_bfloat16 = product.narrow && product.type == FactorType::kBfloat16;
    const size_t size = product.type == FactorType::kDouble ? 8 : is_bfloat16 ? 2 : 4;
    return cudaMemset2DAsync(product.product, product.stride * size, 0, product.columns * size,
                             product.rows, static_cast<cudaStream_t>(runtime.stream()));
  }
  Object handle = nullptr;
  int status = HandleOfDevice(*lt, &handle);
  if (status != 0) return Fail("cublasLtCreate", status);
  if (workspace_ == nullptr) workspace_ = runtime.Allocate<char>(kWorkspaceBytes);
  if (runtime.error() != 0) return runtime.error();
  Description description(*lt);
  status = description.Describe(product, tf32_, kWorkspaceBytes);
  if (status != 0) return Fail("describing a product to cuBLASLt", status);
  status = description.Run(handle, product, workspace_, runtime.stream());
  if (status != 0) return Fail("cublasLtMatmul", status);
  return 0;
}

int CublasLtProducts::Fail(const std::string& what, int status) {
  error_ = what + " failed with cuBLAS's status " + std::to_string(status);
  return kFailed;
}

}  // namespace candsamp
