#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where there is no GPU, gpu_checker says so in one sentence and does not pass.
# Usage: gpu_checker_without_gpu_test.sh BINARY
set -euo pipefail

if [[ -e /dev/nvidiactl ]]; then
  echo "This machine has a GPU."
  exit 0
fi
status=0
said=$("$1" --sizes=tiny 2>&1) || status=$?
echo "$said"
[[ $status == 3 && $(wc -l <<<"$said") == 1 && $said == *NVIDIA*driver* ]]
