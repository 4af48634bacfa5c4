// SPDX-License-Identifier: Apache-2.0
// Loops that are compiled once for each instruction set: their declarations, and the
// choice between them.
//
// A file X_isa.cc defines `extern const Loops kName` in namespace CANDSAMP_ISA. X_isa.h declares
// the three of them, and X.cc hands out the one that the machine can run.
#ifndef TF_CANDSAMP_CC_LIB_CORE_ISA_TABLES_H_
#define TF_CANDSAMP_CC_LIB_CORE_ISA_TABLES_H_

#include "cc/lib/core/instruction_set.h"

// Inside namespace candsamp: declares baseline::name, avx2::name and avx512::name.
#define CANDSAMP_DECLARE_ISA_TABLES(Loops, name) \
  namespace baseline {                           \
  extern const Loops name;                       \
  }                                              \
  namespace avx2 {                               \
  extern const Loops name;                       \
  }                                              \
  namespace avx512 {                             \
  extern const Loops name;                       \
  }

// The one of the widest instruction set that this machine has.
#define CANDSAMP_CHOSEN_ISA_TABLE(name) ByInstructionSet(baseline::name, avx2::name, avx512::name)

#endif  // TF_CANDSAMP_CC_LIB_CORE_ISA_TABLES_H_
