# SPDX-License-Identifier: Apache-2.0
"""Binds the build to the TensorFlow wheel of one Python."""

# The interpreter, and a value that changes when what is installed in it does.
_PYTHON = "CANDSAMP_PYTHON"
_ENVIRONMENT = "CANDSAMP_ENVIRONMENT"

_QUERY = """
import json, sys
import tensorflow as tf
print(json.dumps({
    "python": sys.executable,
    "version": tf.__version__,
    "copts": [flag for flag in tf.sysconfig.get_compile_flags() if not flag.startswith("-I")],
    "include": tf.sysconfig.get_include(),
    "library": tf.sysconfig.get_lib() + "/libtensorflow_framework.so.2",
}))
"""

_CONFIG = """
PYTHON = {python}
TF_VERSION = {version}
TF_COPTS = {copts}
"""

_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files(["libtensorflow_framework.so.2"])

# "includes" makes them system headers: their warnings are not ours.
cc_library(
    name = "headers",
    hdrs = glob(["include/**"], exclude = ["include/**/*.so"]),
    includes = ["include"],
)

cc_library(
    name = "eigen",
    hdrs = glob(["include/Eigen/**", "include/unsupported/Eigen/**"]),
    includes = ["include"],
)
"""

def _tensorflow_impl(ctx):
    python = ctx.os.environ.get(_PYTHON, "python3")
    result = ctx.execute([python, "-c", _QUERY], environment = {"TF_CPP_MIN_LOG_LEVEL": "3"})
    if result.return_code != 0:
        fail(("%s has no TensorFlow to build against (%s): run 'make build', or name a Python " +
              "that has one with --repo_env=%s=/path/to/python.") %
             (python, result.stderr.strip().split("\n")[-1], _PYTHON))
    tf = json.decode(result.stdout)
    ctx.symlink(tf["include"], "include")
    ctx.symlink(tf["library"], "libtensorflow_framework.so.2")
    ctx.file("BUILD", _BUILD)
    ctx.file("config.bzl", _CONFIG.format(
        python = repr(tf["python"]),
        version = repr(tf["version"]),
        copts = repr(tf["copts"]),
    ))

tensorflow_configure = repository_rule(
    implementation = _tensorflow_impl,
    environ = [_PYTHON, _ENVIRONMENT],
    doc = "Headers, library and flags of the TensorFlow that the chosen Python imports.",
)
