// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/matrix/cublaslt.h"

#include <dlfcn.h>

namespace candsamp {
namespace cublaslt {
namespace {

constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};

void* OpenLibrary() {
  for (const char* name : kNames) {
    if (void* loaded = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) return loaded;
  }
  for (const char* name : kNames) {
    if (void* found = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return found;
  }
  return nullptr;
}

struct Loaded {
  Functions functions = {};
  std::string error;

  Loaded() {
    void* const library = OpenLibrary();
    if (library == nullptr) {
      error =
          "the losses of tf_candsamp need cuBLASLt on a GPU, and neither libcublasLt.so.13 nor "
          "libcublasLt.so.12 was found: install TensorFlow with its CUDA libraries "
          "(tensorflow[and-cuda]), or name the folder of the library in LD_LIBRARY_PATH";
      return;
    }
    Find(library, "cublasLtCreate", &functions.Create);
    Find(library, "cublasLtMatmulDescCreate", &functions.MatmulDescCreate);
    Find(library, "cublasLtMatmulDescDestroy", &functions.MatmulDescDestroy);
    Find(library, "cublasLtMatmulDescSetAttribute", &functions.MatmulDescSetAttribute);
    Find(library, "cublasLtMatrixLayoutCreate", &functions.MatrixLayoutCreate);
    Find(library, "cublasLtMatrixLayoutDestroy", &functions.MatrixLayoutDestroy);
    Find(library, "cublasLtMatmulPreferenceCreate", &functions.MatmulPreferenceCreate);
    Find(library, "cublasLtMatmulPreferenceDestroy", &functions.MatmulPreferenceDestroy);
    Find(library, "cublasLtMatmulPreferenceSetAttribute", &functions.MatmulPreferenceSetAttribute);
    Find(library, "cublasLtMatmulAlgoGetHeuristic", &functions.MatmulAlgoGetHeuristic);
    Find(library, "cublasLtMatmul", &functions.Matmul);
  }

  template <typename Function>
  void Find(void* library, const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    if (*function == nullptr) error = std::string("the cuBLASLt that is loaded has no ") + name;
  }
};

}  // namespace

const Functions* Load(std::string* error) {
  static const Loaded* const loaded = new Loaded();
  *error = loaded->error;
  return loaded->error.empty() ? &loaded->functions : nullptr;
}

}  // namespace cublaslt
}  // namespace candsamp
