#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails if a weak symbol of an AVX object could be merged with another object's: the linker keeps one
# copy for all, and the baseline would run it. So each must name its own instruction set.
# Usage: isa_symbols_test.sh baseline,avx2,avx512 libX_baseline.a libX_avx2.a libX_avx512.a
set -euo pipefail

IFS=, read -ra isas <<<"$1"
shift
status=0
for isa in "${isas[@]}"; do
  for library in "$@"; do
    [[ $library == *_$isa.* ]] || continue
    symbols=$(nm --demangle --defined-only "$library")
    if ! grep -q "$isa" <<<"$symbols"; then
      echo "$library defines nothing in a namespace $isa" >&2
      status=1
    fi
    if shared=$(grep -E '^[0-9a-f]+ [WVu] ' <<<"$symbols" | grep -v "$isa"); then
      echo "$library: weak symbols that do not name $isa:" >&2
      echo "$shared" >&2
      status=1
    fi
    seen+=("$isa")
  done
done
if [[ ${seen[*]:-} != "${isas[*]}" ]]; then
  echo "expected one library for each instruction set, got: $*" >&2
  status=1
fi
exit $status
