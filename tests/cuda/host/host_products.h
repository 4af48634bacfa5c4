// SPDX-License-Identifier: Apache-2.0
// Products of matrices by plain loops, where threads of the host stand for a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_HOST_HOST_PRODUCTS_H_
#define TF_CANDSAMP_TESTS_CUDA_HOST_HOST_PRODUCTS_H_

#include "cc/cuda/matrix/products.h"

namespace candsamp {

class HostProducts : public MatrixProducts {
 public:
  int Multiply(DeviceRuntime&, const MatrixProduct& product) override {
    switch (product.type) {
      case FactorType::kDouble:
        Run<double, double>(product);
        break;
      case FactorType::kBfloat16:
        if (product.narrow) {
          Run<Bfloat16, Bfloat16>(product);
        } else {
          Run<Bfloat16, float>(product);
        }
        break;
      default:
        Run<float, float>(product);
    }
    return 0;
  }

 private:
  template <typename T>
  static Accumulator<T> At(const Factor& factor, int64_t row, int64_t column) {
    const T* const values = static_cast<const T*>(factor.values);
    return Widen(factor.transposed ? values[column * factor.stride + row]
                                   : values[row * factor.stride + column]);
  }

  template <typename T, typename Out>
  static void Run(const MatrixProduct& p) {
    using A = Accumulator<T>;
    Out* const out = static_cast<Out*>(p.product);
    for (int64_t r = 0; r < p.rows; ++r) {
      for (int64_t c = 0; c < p.columns; ++c) {
        A sum = 0;
        for (int64_t k = 0; k < p.inner; ++k) sum += At<T>(p.left, r, k) * At<T>(p.right, k, c);
        Out& to = out[r * p.stride + c];
        Narrow(static_cast<A>(p.alpha) * sum + (p.adds ? Widen(to) : A(0)), &to);
      }
    }
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_HOST_HOST_PRODUCTS_H_
