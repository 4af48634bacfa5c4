#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs make for another TensorFlow: for_tensorflow.sh VERSION TARGET...
# The checkout is copied to build/tensorflow-VERSION, which has a .venv and a Bazel output of its own,
# so this tree's stay as they are. What was built there before is kept. Without GPU kernels, unless
# CUDA_ARCHS is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# < 2)); then
  echo "tf_candsamp: for_tensorflow.sh takes a version and targets of make, as '2.15.1 test'." >&2
  exit 2
fi
version=$1
shift
copy=build/tensorflow-$version
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name .venv ! -name build -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
  tar --null --files-from=- --create | tar --extract --directory="$copy"
exec "${MAKE:-make}" --no-print-directory -C "$copy" TF_PACKAGE="tensorflow-cpu==$version" \
  CUDA_ARCHS="${CUDA_ARCHS:-none}" "$@"
