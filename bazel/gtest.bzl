# SPDX-License-Identifier: Apache-2.0
"""Binds the build to the system's GoogleTest."""

_LIBRARIES = ["libgtest.a", "libgtest_main.a"]

_BUILD = """
# Its headers are in the compiler's own include path.
cc_library(
    name = "gtest_main",
    srcs = {libraries},
    linkopts = ["-lpthread"],
    visibility = ["//visibility:public"],
)
"""

def _gtest_impl(ctx):
    for library in _LIBRARIES:
        path = ctx.execute(["g++", "-print-file-name=" + library]).stdout.strip()
        if not path.startswith("/"):
            fail("GoogleTest is missing: install it (Debian: apt-get install libgtest-dev), then build again.")
        ctx.symlink(path, library)
    ctx.file("BUILD", _BUILD.format(libraries = repr(_LIBRARIES)))

gtest_configure = repository_rule(
    implementation = _gtest_impl,
    doc = "The static GoogleTest that the system's compiler finds.",
)
