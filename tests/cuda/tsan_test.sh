#!/usr/bin/env bash
# Runs a ThreadSanitizer binary without address space randomisation where that may be turned off:
# g++ 12's runtime gives up on the many random bits that newer kernels use.
# Usage: tsan_test.sh BINARY
set -euo pipefail

if setarch -R true 2>/dev/null; then
  exec setarch -R "$1"
fi
exec "$1"
