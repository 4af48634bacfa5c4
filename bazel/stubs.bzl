# SPDX-License-Identifier: Apache-2.0
"""Local stand-ins for the repositories that Bazel's own tools would download."""

_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]

_JAVA_RULES = [
    "java_binary",
    "java_import",
    "java_library",
    "java_lite_proto_library",
    "java_package_configuration",
    "java_plugin",
    "java_proto_library",
    "java_runtime",
    "java_test",
    "java_toolchain",
]

_COVERAGE = """
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)
"""

def _files_impl(ctx):
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

_files_repository = repository_rule(
    implementation = _files_impl,
    attrs = {"files": attr.string_dict()},
)

def _reexport(rules):
    return "".join(["%s = native.%s\n" % (rule, rule) for rule in rules])

def stub_repositories():
    """rules_cc and rules_java re-export the native rules; there is no coverage tool."""
    _files_repository(
        name = "rules_cc",
        files = {"cc/BUILD": "", "cc/defs.bzl": _reexport(_CC_RULES)},
    )
    _files_repository(
        name = "rules_java",
        files = {"java/BUILD": "", "java/defs.bzl": _reexport(_JAVA_RULES)},
    )
    _files_repository(
        name = "remote_coverage_tools",
        files = {"BUILD": _COVERAGE},
    )
