#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a ThreadSanitizer binary without address space randomisation, where that may be turned off.
# Newer Linux kernels use so many random bits that g++ 12's runtime gives up.
# Usage: tsan_test.sh BINARY
set -euo pipefail

if setarch -R true 2>/dev/null; then
  exec setarch -R "$1"
fi
exec "$1"
