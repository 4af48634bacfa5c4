// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, loaded when it is first used: the library that the process has already, which is
// TensorFlow's or PyTorch's, or the one that the loader finds.
//
// Its functions and numbers are declared here, since its header is in no package that the build
// needs. They are its stable interface since CUDA 11; tests/cuda/cublaslt_abi.cu compares them with
// the header where there is one.
#ifndef TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_H_
#define TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_H_

#include <stddef.h>
#include <stdint.h>

#include <string>

namespace candsamp {
namespace cublaslt {

using Status = int;  // 0 is success
using Object = void*;

enum DataType : int { kFloat32 = 0, kFloat64 = 1, kFloat16 = 2, kBfloat16 = 14 };
enum ComputeType : int { kComputeFloat32 = 68, kComputeFloat64 = 70, kComputeTf32 = 77 };
enum Operation : int { kAsIs = 0, kTransposed = 1 };
enum OperationAttribute : int { kTransposeA = 3, kTransposeB = 4 };
enum PreferenceAttribute : int {
  kMostWorkspace = 1,
  kAlignmentA = 5,
  kAlignmentB = 6,
  kAlignmentC = 7,
  kAlignmentD = 8,
};

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

// The functions that are used, under the library's names without the prefix.
struct Functions {
  Status (*Create)(Object* handle);
  Status (*MatmulDescCreate)(Object* operation, int compute_type, int scale_type);
  Status (*MatmulDescDestroy)(Object operation);
  Status (*MatmulDescSetAttribute)(Object operation, int attribute, const void* value, size_t size);
  Status (*MatrixLayoutCreate)(Object* layout, int type, uint64_t rows, uint64_t columns,
                               int64_t stride);
  Status (*MatrixLayoutDestroy)(Object layout);
  Status (*MatmulPreferenceCreate)(Object* preference);
  Status (*MatmulPreferenceDestroy)(Object preference);
  Status (*MatmulPreferenceSetAttribute)(Object preference, int attribute, const void* value,
                                         size_t size);
  Status (*MatmulAlgoGetHeuristic)(Object handle, Object operation, Object a, Object b, Object c,
                                   Object d, Object preference, int wanted, Heuristic* results,
                                   int* found);
  Status (*Matmul)(Object handle, Object operation, const void* alpha, const void* a,
                   Object a_layout, const void* b, Object b_layout, const void* beta, const void* c,
                   Object c_layout, void* d, Object d_layout, const Algorithm* algorithm,
                   void* workspace, size_t workspace_bytes, void* stream);
};

// The library's functions, or nullptr if there is none; then *error is a sentence for the user.
const Functions* Load(std::string* error);

}  // namespace cublaslt
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_MATRIX_CUBLASLT_H_
