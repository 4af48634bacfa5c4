#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the system tools that are missing, makes .venv with TensorFlow, and installs requirement
# files there: bootstrap.sh FILE...   What is there already is kept.
# Reads PYTHON, TF_PACKAGE and CUDA_ARCHS; the Makefile sets them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "tf_candsamp: $1" >&2
  exit 1
}

have() { command -v "$1" >/dev/null; }

install_packages() {
  local advice="install them (Debian: 'apt-get install $*' as root) and run make again."
  local root=()
  ((EUID == 0)) || root=(sudo -n)
  if ! have apt-get || ! "${root[@]}" true 2>/dev/null; then
    fail "these are missing and cannot be installed from here: $*; $advice"
  fi
  echo "Installing $* ..."
  if ! "${root[@]}" apt-get update -qq </dev/null ||
    ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq --no-install-recommends "$@" </dev/null >/dev/null; then
    fail "apt-get could not install $*; $advice"
  fi
}

missing=()
have bazelisk || have bazel || missing+=(bazel-bootstrap)
have g++ || missing+=(g++)
have g++ && [[ $(g++ -print-file-name=libgtest_main.a) == /* ]] || missing+=(libgtest-dev)
have "$PYTHON" || [[ $PYTHON != python3 ]] || missing+=(python3)
# Debian's python3 comes without ensurepip.
"$PYTHON" -c 'import ensurepip' 2>/dev/null || [[ $PYTHON != python3 ]] || missing+=(python3-venv)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  fail "'$PYTHON' is not a Python 3.10 or later; name one with 'make PYTHON=/path/to/python'."

# .venv is made anew for another Python or another TensorFlow: nothing of the old one stays behind.
key="$("$PYTHON" -c 'import sys; print(sys.base_prefix, sys.version)') $TF_PACKAGE"
if [[ $(cat .venv/key 2>/dev/null) != "$key" ]]; then
  echo "Making .venv with $TF_PACKAGE ..."
  "$PYTHON" -m venv --clear .venv || fail "'$PYTHON -m venv .venv' failed, see above."
fi

# Python compiles what it imports when it first does: pip would compile all of TensorFlow now.
pip_install() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile "$@"
}

new=()
stamps=()
for file in "$@"; do
  stamp=.venv/installed-$(sha256sum <"$file" | cut -c1-16)
  [[ -e $stamp ]] || new+=(-r "$file") stamps+=("$stamp")
done
if ((${#new[@]})); then
  pip_install "$TF_PACKAGE" "${new[@]}" ||
    fail "pip could not install $TF_PACKAGE ${new[*]}, see above; run make again when that is mended."
  touch "${stamps[@]}"
fi

# Tests use Keras 2 too, which TensorFlow holds up to 2.15. Without its dependencies: they would
# bring another wheel of TensorFlow.
if [[ ! -e .venv/installed-keras-2 ]]; then
  minor=$(.venv/bin/python -c '
from importlib.metadata import packages_distributions, version
print(version(packages_distributions()["tensorflow"][0]).split(".")[1])')
  ((minor < 16)) ||
    pip_install --no-deps "tf_keras==2.$minor.*" ||
    fail "pip could not install tf_keras, see above; run make again when that is mended."
  touch .venv/installed-keras-2
fi

echo "$key" >.venv/key
# What Bazel is to know. It looks for CUDA among the packages too, and anew when this changes.
nvidia=$(cd .venv && ls -d lib/python*/site-packages/nvidia* 2>/dev/null || true)
cat >.venv/bazelrc <<EOF
common --repo_env=CANDSAMP_PYTHON=$PWD/.venv/bin/python
common --repo_env=CANDSAMP_ENVIRONMENT=$(echo "$key $nvidia" | sha256sum | cut -c1-16)
common --repo_env=CANDSAMP_CUDA_ARCHS=${CUDA_ARCHS// /}
EOF
