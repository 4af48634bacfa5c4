// SPDX-License-Identifier: Apache-2.0
// Marks a formula that host compilers and nvcc share: CANDSAMP_FORMULA a function, CANDSAMP_METHOD
// a method of a class.
#ifndef TF_CANDSAMP_CC_LIB_CORE_HOST_DEVICE_H_
#define TF_CANDSAMP_CC_LIB_CORE_HOST_DEVICE_H_

// Always inlined: a file that is compiled once per instruction set must not leave a copy of a
// shared function behind for the linker to pick from.
#ifdef __CUDACC__
#define CANDSAMP_METHOD __host__ __device__ __forceinline__
#define CANDSAMP_FORMULA CANDSAMP_METHOD
#else
#define CANDSAMP_METHOD inline __attribute__((always_inline))
#define CANDSAMP_FORMULA static CANDSAMP_METHOD
#endif

#endif  // TF_CANDSAMP_CC_LIB_CORE_HOST_DEVICE_H_
