#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails if nvcc read a header of TensorFlow or Eigen, or if a list of what it read looks wrong.
# Usage: no_tensorflow_headers_test.sh FILE.d...   where nvcc -MD wrote each FILE.d
set -euo pipefail

status=0
(($#)) || status=1
for file in "$@"; do
  if ! grep -q 'cuda_runtime\.h' "$file"; then
    echo "$file does not look like nvcc's list of what it read" >&2
    status=1
  fi
  if found=$(grep -E 'tensorflow/(include|core)/|Eigen/' "$file"); then
    echo "$file: nvcc read what it must not see:" >&2
    echo "$found" >&2
    status=1
  fi
done
exit $status
