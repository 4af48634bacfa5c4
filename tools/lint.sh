#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every linter over the whole tree, and says at the end which of them found something.
# "lint.sh --fix" lets those that can mend what they find, in this file too: bash has read all of
# main when it starts.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

main() {
  mapfile -t cpp < <(find cc tests benchmarks -name '*.h' -o -name '*.cc' -o -name '*.cu')
  mapfile -t scripts < <(grep --recursive --files-with-matches --max-count=1 '^#!/usr/bin/env bash' \
    .ci tools tests cc)
  failed=()

  check() {
    echo "== $1"
    "${@:2}" || failed+=("$1")
  }

  if [[ ${1:-} == --fix ]]; then
    check licences .venv/bin/python tools/licence_lines.py --fix
    check ruff .venv/bin/ruff check --fix
    check "ruff format" .venv/bin/ruff format
    check clang-format .venv/bin/clang-format -i "${cpp[@]}"
    check buildifier tools/buildifier.sh -mode=fix
  else
    check ruff .venv/bin/ruff check
    check "ruff format" .venv/bin/ruff format --check
    check mypy .venv/bin/python -m mypy tf_candsamp
    check clang-format .venv/bin/clang-format --dry-run -Werror "${cpp[@]}"
    check buildifier tools/buildifier.sh -mode=check
    check licences .venv/bin/python tools/licence_lines.py
    check shellcheck .venv/bin/shellcheck "${scripts[@]}"
  fi

  if ((${#failed[@]})); then
    (IFS=, && echo "Found something: ${failed[*]}.") >&2
    exit 1
  fi
}

main "$@"
exit
