// SPDX-License-Identifier: Apache-2.0
// Chooses the instruction set at run time.
#include "cc/lib/core/instruction_set.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace candsamp {
namespace {

// Linux lets a process use AMX's tile registers once the process has asked.
bool TilesAllowed() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

InstructionSet Widest() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  const bool amx = bf16 && __builtin_cpu_supports("amx-tile") &&
                   __builtin_cpu_supports("amx-bf16") && TilesAllowed();
  return amx      ? InstructionSet::kAmx
         : bf16   ? InstructionSet::kAvx512Bf16
         : avx512 ? InstructionSet::kAvx512
         : avx2   ? InstructionSet::kAvx2
                  : InstructionSet::kBaseline;
}

InstructionSet Choose() {
  const InstructionSet widest = Widest();
  const char* limit = std::getenv("CANDSAMP_MAX_ISA");
  if (limit == nullptr) return widest;
  for (const InstructionSet set :
       {InstructionSet::kBaseline, InstructionSet::kAvx2, InstructionSet::kAvx512,
        InstructionSet::kAvx512Bf16, InstructionSet::kAmx}) {
    if (std::strcmp(limit, InstructionSetName(set)) == 0 && set < widest) return set;
  }
  return widest;
}

}  // namespace

InstructionSet ChosenInstructionSet() {
  static const InstructionSet chosen = Choose();
  return chosen;
}

const char* InstructionSetName(InstructionSet set) {
  switch (set) {
    case InstructionSet::kBaseline:
      return "baseline";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx512Bf16:
      return "avx512bf16";
    case InstructionSet::kAmx:
      return "amx";
  }
  return "unknown";
}

}  // namespace candsamp
