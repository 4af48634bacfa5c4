# SPDX-License-Identifier: Apache-2.0
"""Binds the build to a CUDA toolkit, where there is one: nvcc, its headers, its static runtime."""

_CUDA_HOME = "CUDA_HOME"
_PATH = "PATH"

# Here, as in tensorflow.bzl: the interpreter, and a value that changes with what is installed in it.
_PYTHON = "CANDSAMP_PYTHON"
_ENVIRONMENT = "CANDSAMP_ENVIRONMENT"

# Which GPUs to compile for: candsamp.bzl says what it may be.
_ARCHS = "CANDSAMP_CUDA_ARCHS"
_NO_GPU = "none"

# NVIDIA's packages on PyPI share one folder.
_PYPI_NVCC = """
import glob, sys
print(*(nvcc for path in sys.path for nvcc in glob.glob(path + "/nvidia/cu*/bin/nvcc")),
      sep="\\n", end="")
"""

# How "nvcc --dryrun" says where it lives, and what is needed there.
_TOP = "#$ TOP="
_HEADER = "/include/cuda_runtime_api.h"
_RUNTIME = "/lib/libcudart_static.a"

_PROBE = """
#if __CUDACC_VER_MAJOR__ != 12 && __CUDACC_VER_MAJOR__ != 13
#error tf_candsamp needs CUDA 12 or 13
#endif
__global__ void Probe() {}
"""

_CONFIG = """
HAS_CUDA = {has_cuda}
NVCC = {nvcc}
CXX = {cxx}
CUDA_ARCHS = {cuda_archs}
"""

_BUILD = """
package(default_visibility = ["//visibility:public"])

# "includes" makes them system headers: their warnings are not ours.
cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
)

cc_library(
    name = "runtime",
    srcs = ["libcudart_static.a"],
    linkopts = ["-ldl", "-lpthread", "-lrt"],
    deps = [":headers"],
)
"""

# No platform has what these ask for: Bazel passes over them, and over all that needs them.
_BUILD_WITHOUT = """
package(default_visibility = ["//visibility:public"])

constraint_setting(name = "toolkit")

constraint_value(
    name = "found",
    constraint_setting = ":toolkit",
)

[cc_library(
    name = name,
    target_compatible_with = [":found"],
) for name in ["headers", "runtime"]]
"""

def _candidates(ctx):
    """Where an nvcc may be, the first choice first."""
    env = ctx.os.environ
    found = [env[_CUDA_HOME] + "/bin/nvcc"] if env.get(_CUDA_HOME) else []
    on_path = ctx.which("nvcc")
    if on_path:
        found.append(str(on_path))
    pypi = ctx.execute([env.get(_PYTHON, "python3"), "-c", _PYPI_NVCC])
    return found + pypi.stdout.splitlines()

def _root(ctx, nvcc):
    """The toolkit's folder as nvcc itself sees it: the nvcc on PATH may be a script or a link."""
    if ctx.path(nvcc).exists:
        for line in ctx.execute([nvcc, "--dryrun", "-c", "probe.cu"]).stderr.splitlines():
            if line.startswith(_TOP):
                return str(ctx.path(line[len(_TOP):]))
    return None

def _toolkit(ctx, candidate, cxx):
    """One nvcc and what belongs to it, or a string that says what is wrong with it."""
    root = _root(ctx, candidate)
    if not root:
        return candidate + " does not run"
    nvcc = root + "/bin/nvcc"
    homes = [
        home
        for home in [root + "/targets/x86_64-linux", root]
        if ctx.path(home + _HEADER).exists and ctx.path(home + _RUNTIME).exists
    ]
    if not homes:
        return nvcc + " has no CUDA runtime beside it"
    result = ctx.execute([nvcc, "-ccbin=" + cxx, "-arch=sm_90", "-c", "probe.cu", "-o", "probe.o"])
    if result.return_code != 0:
        return nvcc + " fails: " + " ".join((result.stderr + result.stdout).splitlines()[:1])
    return struct(nvcc = nvcc, home = homes[0])

def _cuda_impl(ctx):
    cxx = str(ctx.which("g++"))
    ctx.file("probe.cu", _PROBE)
    archs = ctx.os.environ.get(_ARCHS, "")
    candidates = [] if archs == _NO_GPU else _candidates(ctx)
    toolkits = [_toolkit(ctx, candidate, cxx) for candidate in candidates]
    working = [toolkit for toolkit in toolkits if type(toolkit) == "struct"]
    if working:
        ctx.symlink(working[0].home + "/include", "include")
        ctx.symlink(working[0].home + _RUNTIME, "libcudart_static.a")
        ctx.file("BUILD", _BUILD)
    else:
        why = toolkits or [
            "CUDA_ARCHS is 'none'" if archs == _NO_GPU else "no nvcc in CUDA_HOME, on PATH or among the Python packages",
        ]

        # buildifier: disable=print
        print("tf_candsamp: %s: the wheel will have CPU kernels only." % why[0])
        ctx.file("BUILD", _BUILD_WITHOUT)
    ctx.file("config.bzl", _CONFIG.format(
        has_cuda = bool(working),
        nvcc = repr(working[0].nvcc if working else None),
        cxx = repr(cxx),
        cuda_archs = repr("" if archs == _NO_GPU else archs),
    ))

cuda_configure = repository_rule(
    implementation = _cuda_impl,
    environ = [_CUDA_HOME, _PATH, _PYTHON, _ENVIRONMENT, _ARCHS],
    doc = "The first CUDA toolkit that compiles a kernel; config.bzl says whether there is one.",
)
