# Every command of the project. "make demo" and "make test" are each enough on a fresh machine.
# So is "make demo-words" where apt-get reaches Debian's packages: its text is in two of them.

# Which Python .venv is made from, and which TensorFlow is installed in it.
PYTHON ?= python3
TF_PACKAGE ?= tensorflow-cpu==2.21.0
# Not ":=": looked up when used, after the first step may have installed it.
BAZEL ?= $(shell command -v bazelisk || command -v bazel)
export PYTHON TF_PACKAGE

PY = .venv/bin/python

.PHONY: build demo demo-words test lint format benchmark clean venv

build: venv
	$(BAZEL) build //pip_package:wheel
	tools/install_wheel.sh

demo: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/doudizhu/main.py

demo-words: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/words/main.py

test: build
	tools/bootstrap.sh examples/requirements.txt
	$(BAZEL) test //...
	$(PY) -m pytest tests/py

lint: venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	tools/clang_format.sh --dry-run -Werror

format: venv
	$(PY) -m ruff check --fix
	$(PY) -m ruff format
	tools/clang_format.sh -i

benchmark: build
	$(PY) benchmarks/ragged.py
	$(PY) benchmarks/samplers.py
	$(PY) benchmarks/losses.py

clean:
	@if [ -n "$(BAZEL)" ]; then $(BAZEL) clean; fi
	rm -rf .venv build

venv:
	tools/bootstrap.sh tools/requirements.txt
