#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails if what is carried to a machine with a GPU needs more of it than glibc.
# Usage: portable_test.sh BINARY...
set -euo pipefail

status=0
(($#)) || status=1
for binary in "$@"; do
  needed=$(readelf --dynamic "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  if ! grep -q '^libc\.so' <<<"$needed"; then
    echo "$binary does not look like a program that needs glibc" >&2
    status=1
  fi
  if more=$(grep -vE '^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64)\.so' <<<"$needed"); then
    echo "$binary needs $more" >&2
    status=1
  fi
done
exit $status
