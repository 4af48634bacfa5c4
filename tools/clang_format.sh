#!/usr/bin/env bash
# Runs clang-format, with the options given, on every C++ and CUDA source of the project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find cc tests benchmarks -regex '.*\.\(h\|cc\|cu\)' -print0 | xargs -0 --no-run-if-empty .venv/bin/clang-format "$@"
