#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the wheel that Bazel built into .venv, unless it is installed already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' version.bzl)
wheel=build/bazel-bin/pip_package/tf_candsamp-$version-py3-none-linux_x86_64.whl
sum=$(sha256sum <"$wheel")
if [[ $(cat .venv/wheel 2>/dev/null) != "$sum" ]]; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --force-reinstall --no-deps --no-index "$wheel"
  echo "$sum" >.venv/wheel
fi
