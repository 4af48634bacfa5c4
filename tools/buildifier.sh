#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs buildifier with the options given on every file that is Bazel's. Only npm has it as a package:
# where there is no npm, a buildifier on PATH will do, and without one the files are not checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=8.2.1
buildifier=.venv/buildifier-$version
if [[ ! -x $buildifier ]]; then
  if command -v npm >/dev/null; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    npm install --silent --no-save --ignore-scripts --prefix "$folder" "@bazel/buildifier@$version"
    machine=$(uname -m)
    [[ $machine != x86_64 ]] || machine=amd64
    [[ $machine != aarch64 ]] || machine=arm64
    cp "$folder/node_modules/@bazel/buildifier/buildifier-linux_$machine" "$buildifier"
  elif ! buildifier=$(command -v buildifier); then
    echo "Neither npm nor buildifier is on PATH: BUILD files are not checked." >&2
    exit
  fi
fi
# Bazel 4's own rules need no load(). A one-line docstring is enough where arguments are Bazel's own.
warnings=-native-cc-binary,-native-cc-common,-native-cc-info,-native-cc-library,-native-cc-test
warnings+=,-native-sh-test,-function-docstring-args,-unnamed-macro

find . -path ./.venv -prune -o -path ./build -prune -o \
  \( -name BUILD -o -name WORKSPACE -o -name '*.bzl' \) -print0 | sort -z |
  xargs -0 "$buildifier" -lint=warn -warnings="$warnings" "$@"
