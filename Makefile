# SPDX-License-Identifier: Apache-2.0
# Every command of the project. "make demo" and "make test" are each enough on a fresh machine.
# So is "make demo-words" where apt-get reaches Debian's packages: its text is in two of them.

# Which Python .venv is made from, which TensorFlow is installed in it, and which GPUs the wheel has
# machine code for ("none": no GPU kernels, even where nvcc is).
PYTHON ?= python3
TF_PACKAGE ?= tensorflow-cpu==2.21.0
CUDA_ARCHS ?=
# Not ":=": looked up when used, after the first step may have installed it.
BAZEL ?= $(shell command -v bazelisk || command -v bazel)
export PYTHON TF_PACKAGE CUDA_ARCHS

PY = .venv/bin/python

.PHONY: build demo demo-movielens demo-words demo-estimator estimator test test-package test-tf215 \
    test-versions smoke lint format benchmark gpu-check-files release clean venv

build: venv
	$(BAZEL) build //pip_package:wheel
	tools/install_wheel.sh

demo: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/doudizhu/main.py

demo-movielens: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/movielens/main.py

demo-words: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/words/main.py

# Under the last TensorFlow that has Estimator, in a folder of its own.
demo-estimator:
	tools/for_tensorflow.sh 2.15.1 estimator

estimator: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) examples/estimator/main.py

test: build
	$(BAZEL) test //...
	$(MAKE) test-package

# These measure the memory of their process, which shows what else has run there.
MEMORY_TESTS = $(shell find tests/py -name "test_*_memory.py" -or -name "test_*_leaks.py")

# The package's tests alone, without those of the C++ under it.
test-package: build
	tools/bootstrap.sh examples/requirements.txt
	$(PY) -m pytest tests/py $(addprefix --ignore=, $(MEMORY_TESTS)) \
	    --numprocesses=auto --maxprocesses=4 --dist=loadfile --durations=15
	$(PY) -m pytest $(MEMORY_TESTS)

# The same under the last TensorFlow that has Keras 2 and Estimator.
test-tf215:
	tools/for_tensorflow.sh 2.15.1 test-package

# Builds for each release between that one and the default, and runs what tells most of each: the
# documents' programs, tf.nn's own cases, and what training with Keras and its checkpoints needs.
test-versions:
	for version in 2.16.2 2.17.1 2.18.1 2.19.1 2.20.0; do \
	    tools/for_tensorflow.sh $$version smoke || exit; \
	done

SMOKE = package/test_package.py package/test_docs.py package/test_export_scorer.py \
    drop_in/test_drop_in_nn_test_cases.py losses/sampled/test_sampled_values.py \
    losses/test_loss_keras_2.py losses/test_split_losses.py examples/test_estimator.py \
    keras/layers/test_layer_fit.py keras/layers/test_layer_saving.py \
    optimizers/test_keras_steps.py optimizers/test_keras_2_steps.py \
    samplers/state/test_sampler_checkpoints.py samplers/state/test_sampler_saved_models.py

smoke: build
	$(PY) -m pytest $(addprefix tests/py/, $(SMOKE)) --numprocesses=auto --maxprocesses=4 \
	    --dist=loadfile

lint: venv
	tools/bootstrap.sh tools/lint_requirements.txt
	tools/lint.sh

format: venv
	tools/bootstrap.sh tools/lint_requirements.txt
	tools/lint.sh --fix

benchmark: build
	$(PY) benchmarks/ragged.py
	$(PY) benchmarks/ragged_batches.py
	$(PY) benchmarks/samplers.py
	$(PY) benchmarks/sampler_calls.py
	$(PY) benchmarks/losses.py
	$(PY) benchmarks/exact.py
	$(PY) benchmarks/sampler_tables.py
	$(PY) benchmarks/learned_unigram.py
	$(PY) benchmarks/row_optimizers.py
	$(PY) benchmarks/train_step.py
	$(PY) benchmarks/report.py

# A wheel for PyPI, in build/release: for all GPUs, and with a tag that says which glibc it needs.
release: CUDA_ARCHS = all
release: build
	tools/bootstrap.sh tools/release_requirements.txt
	PATH=$(CURDIR)/.venv/bin:$$PATH auditwheel --quiet repair \
	    --exclude libtensorflow_framework.so.2 --wheel-dir build/release \
	    build/bazel-bin/pip_package/*.whl

# What tools/gpu_check runs: on a machine with a GPU, and here with --emulate.
GPU_CHECK_FILES = $(addprefix build/bazel-bin/, \
    tests/cuda/gpu_checker benchmarks/gpu/libcandsamp_benchmarks.so \
    tests/cuda/gpu_checker_on_host tests/cuda/libcandsamp_benchmarks_on_host.so)

gpu-check-files: venv
	$(BAZEL) build //tests/cuda:gpu_check_files
	mkdir -p build/gpu_check
	cp -f $(GPU_CHECK_FILES) build/gpu_check

clean:
	@if [ -n "$(BAZEL)" ]; then $(BAZEL) clean; fi
	rm -rf .venv build

venv:
	tools/bootstrap.sh tools/requirements.txt
