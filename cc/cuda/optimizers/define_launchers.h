// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that launchers.h declares, on one kind of launcher: CubLauncher in .cu
// files, HostLauncher in the tests.
#ifndef TF_CANDSAMP_CC_CUDA_OPTIMIZERS_DEFINE_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_OPTIMIZERS_DEFINE_LAUNCHERS_H_

#include "cc/cuda/optimizers/launchers.h"
#include "cc/cuda/rows/unit_rows.h"
#include "cc/lib/optimizers/row_formulas.h"

// Instantiates LaunchUpdateRows of a type with each formula.
#define CANDSAMP_DEFINE_UPDATES(Launcher, W)                                                       \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, SgdFormula<Accumulator<W>>)                                  \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, MomentumFormula<Accumulator<W> CANDSAMP_COMMA false>)        \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, MomentumFormula<Accumulator<W> CANDSAMP_COMMA true>)         \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, AdagradFormula<Accumulator<W>>)                              \
  CANDSAMP_DEFINE_UPDATE(Launcher, W,                                                              \
                         RmspropFormula<Accumulator<W> CANDSAMP_COMMA false CANDSAMP_COMMA false>) \
  CANDSAMP_DEFINE_UPDATE(Launcher, W,                                                              \
                         RmspropFormula<Accumulator<W> CANDSAMP_COMMA false CANDSAMP_COMMA true>)  \
  CANDSAMP_DEFINE_UPDATE(Launcher, W,                                                              \
                         RmspropFormula<Accumulator<W> CANDSAMP_COMMA true CANDSAMP_COMMA false>)  \
  CANDSAMP_DEFINE_UPDATE(Launcher, W,                                                              \
                         RmspropFormula<Accumulator<W> CANDSAMP_COMMA true CANDSAMP_COMMA true>)   \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, AdamFormula<Accumulator<W> CANDSAMP_COMMA false>)            \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, AdamFormula<Accumulator<W> CANDSAMP_COMMA true>)             \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, FtrlFormula<Accumulator<W> CANDSAMP_COMMA false>)            \
  CANDSAMP_DEFINE_UPDATE(Launcher, W, FtrlFormula<Accumulator<W> CANDSAMP_COMMA true>)

#define CANDSAMP_COMMA ,
#define CANDSAMP_DEFINE_UPDATE(Launcher, W, Formula)                                \
  template <>                                                                       \
  int LaunchUpdateRows<W, Formula>(DeviceRuntime & runtime, const Formula& formula, \
                                   const DeviceRowUpdate<W>& rows) {                \
    return UpdateRowsOn(Launcher(runtime.stream()), runtime, formula, rows);        \
  }

#define CANDSAMP_DEFINE_SUM_ROWS(Launcher, T)                                                \
  template <>                                                                                \
  int LaunchSumRows(DeviceRuntime& runtime, const IdGroups& groups, const T* slices,         \
                    int64_t depth, int64_t* ids, T* sums) {                                  \
    return SumRowsOn(Launcher(runtime.stream()), runtime, groups, slices, depth, ids, sums); \
  }

#define CANDSAMP_DEFINE_WIDEN(Launcher, H)                                              \
  template <>                                                                           \
  int LaunchWiden(DeviceRuntime& runtime, const H* halves, int64_t rows, int64_t depth, \
                  float* out) {                                                         \
    Launcher launcher(runtime.stream());                                                \
    ScaleRows(launcher, halves, rows, depth, false, out);                               \
    return launcher.error();                                                            \
  }

#define CANDSAMP_DEFINE_GROUP_ROWS(Launcher)                                                      \
  int LaunchGroupRows(DeviceRuntime& runtime, const int64_t* ids, int64_t count, int64_t limit,   \
                      IdGroups* groups, int64_t* distinct) {                                      \
    return GroupRowsOn(Launcher(runtime.stream()), runtime, ids, count, limit, groups, distinct); \
  }

#endif  // TF_CANDSAMP_CC_CUDA_OPTIMIZERS_DEFINE_LAUNCHERS_H_
