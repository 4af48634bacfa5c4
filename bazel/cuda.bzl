"""Binds the build to a CUDA toolkit, where there is one: nvcc, its headers, its static runtime."""

_CUDA_HOME = "CUDA_HOME"
_PATH = "PATH"

# Here, as in tensorflow.bzl: the interpreter, and a value that changes with what is installed in it.
_PYTHON = "CANDSAMP_PYTHON"
_ENVIRONMENT = "CANDSAMP_ENVIRONMENT"

# NVIDIA's packages on PyPI share one folder.
_PYPI_NVCC = """
import glob, sys
print(*(nvcc for path in sys.path for nvcc in glob.glob(path + "/nvidia/cu*/bin/nvcc")),
      sep="\\n", end="")
"""

_CONFIG = """
HAS_CUDA = {has_cuda}
NVCC = {nvcc}
CXX = {cxx}
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
    result = ctx.execute([nvcc, "--dryrun", "-c", "probe.cu"])
    for line in result.stderr.split("\n"):
        if line.startswith("#$ TOP="):
            return str(ctx.path(line[len("#$ TOP="):]))
    return None

def _first(ctx, root, paths):
    for path in paths:
        if ctx.path(root + "/" + path).exists:
            return root + "/" + path
    return None

def _toolkit(ctx, candidate, cxx):
    """What is needed of the toolkit of one nvcc, or a string that says what is wrong with it."""
    root = _root(ctx, candidate) if ctx.path(candidate).exists else None
    if not root:
        return "%s does not run" % candidate
    nvcc = root + "/bin/nvcc"
    headers = _first(ctx, root, ["include/cuda_runtime_api.h"])
    runtime = _first(ctx, root, [d + "/libcudart_static.a" for d in ["lib64", "lib"]])
    if not headers or not runtime:
        return "%s has no CUDA runtime beside it" % nvcc
    result = ctx.execute([nvcc, "-ccbin=" + cxx, "-arch=sm_90", "-c", "probe.cu", "-o", "probe.o"])
    if result.return_code != 0:
        lines = (result.stderr + result.stdout).strip().split("\n")
        return "%s cannot compile for sm_90: %s" % (nvcc, lines[0])
    return struct(nvcc = nvcc, include = root + "/include", runtime = runtime)

def _cuda_impl(ctx):
    cxx = ctx.which("g++")
    why = ["no nvcc found in CUDA_HOME, on PATH or among the Python packages"]
    ctx.file("probe.cu", "__global__ void Probe() {}\n")
    for candidate in _candidates(ctx):
        toolkit = _toolkit(ctx, candidate, str(cxx))
        if type(toolkit) != "string":
            ctx.symlink(toolkit.include, "include")
            ctx.symlink(toolkit.runtime, "libcudart_static.a")
            ctx.file("BUILD", _BUILD)
            ctx.file("config.bzl", _CONFIG.format(
                has_cuda = True,
                nvcc = repr(toolkit.nvcc),
                cxx = repr(str(cxx)),
            ))
            return
        why.append(toolkit)

    # buildifier: disable=print
    print("tf_candsamp: %s: the wheel will have CPU kernels only." % (why[1] if why[1:] else why[0]))
    ctx.file("BUILD", _BUILD_WITHOUT)
    ctx.file("config.bzl", _CONFIG.format(has_cuda = False, nvcc = None, cxx = None))

cuda_configure = repository_rule(
    implementation = _cuda_impl,
    environ = [_CUDA_HOME, _PATH, _PYTHON, _ENVIRONMENT],
    doc = "The first CUDA toolkit that compiles a kernel; config.bzl says whether there is one.",
)
