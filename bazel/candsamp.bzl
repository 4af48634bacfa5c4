"""The kinds of target this project has, and every compiler flag."""

load("@local_tensorflow//:config.bzl", "TF_COPTS")

# TF_COPTS for all: the library is one ABI, and one alignment of Eigen's.
# No contraction: ids are the same on every instruction set, fma is written out where meant.
_COPTS = TF_COPTS + [
    "-O3",
    "-Wall",
    "-Wextra",
    "-ffp-contract=off",
    "-fvisibility=hidden",
]

_TF_COPTS = _COPTS + [
    "-Wno-deprecated-declarations",
]

_ISAS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": [
        "-mavx512f",
        "-mavx512dq",
        "-mavx512vl",
        "-mavx512bw",
        "-mfma",
        "-mf16c",
        "-mprefer-vector-width=512",
    ],
}

_ISAS["avx512bf16"] = _ISAS["avx512"] + ["-mavx512bf16"]
_ISAS["amx"] = _ISAS["avx512bf16"] + ["-mamx-tile", "-mamx-bf16"]

def candsamp_cc_library(name, **kwargs):
    """A library of cc/lib: free of TensorFlow."""
    native.cc_library(
        name = name,
        copts = _COPTS,
        linkstatic = True,
        **kwargs
    )

def candsamp_isa_library(
        name,
        srcs,
        hdrs = [],
        deps = [],
        isas = ["baseline", "avx2", "avx512"],
        **kwargs):
    """The same sources compiled for each instruction set, and linked together.

    CANDSAMP_ISA is the namespace the source puts itself in. Eigen is renamed too: the linker
    merges weak symbols of one name, whatever they were compiled for. NAME_symbols_test checks it.
    """
    for isa in isas:
        native.cc_library(
            name = name + "_" + isa,
            srcs = srcs,
            hdrs = hdrs,
            copts = _COPTS + _ISAS[isa] + [
                "-fno-exceptions",
                # Else selects stay branches and loops scalar. Values do not change.
                "-fno-math-errno",
                "-fno-trapping-math",
                # Vector types stay inside a file.
                "-Wno-psabi",
                # GCC's own AVX-512 headers.
                "-Wno-maybe-uninitialized",
                "-DCANDSAMP_ISA=" + isa,
                "-DEigen=CandsampEigen_" + isa,
            ],
            linkstatic = True,
            deps = deps,
            **kwargs
        )
    objects = [name + "_" + isa for isa in isas]
    native.cc_library(
        name = name,
        hdrs = hdrs,
        linkstatic = True,
        deps = deps + objects,
        **kwargs
    )
    native.filegroup(
        name = name + "_objects",
        testonly = True,
        srcs = objects,
    )
    native.sh_test(
        name = name + "_symbols_test",
        size = "small",
        srcs = ["//tests/cc:isa_symbols_test.sh"],
        args = [",".join(isas), "$(locations :%s_objects)" % name],
        data = [name + "_objects"],
    )

def candsamp_tf_library(name, deps = [], **kwargs):
    """A library of cc/ops or cc/kernels: sees TensorFlow, and is linked for its registrations."""
    native.cc_library(
        name = name,
        copts = _TF_COPTS,
        linkstatic = True,
        alwayslink = True,
        deps = deps + ["@local_tensorflow//:headers"],
        **kwargs
    )

def candsamp_op_library(name, deps, **kwargs):
    """The shared object that tf.load_op_library loads; it exports nothing."""
    framework = "@local_tensorflow//:libtensorflow_framework.so.2"
    exports = "//bazel:op_library.lds"
    native.cc_binary(
        name = name,
        linkshared = True,
        linkstatic = True,
        additional_linker_inputs = [framework, exports],
        linkopts = [
            "$(location %s)" % framework,
            "-Wl,--version-script=$(location %s)" % exports,
            "-Wl,-z,defs",
        ],
        deps = deps,
        **kwargs
    )

def candsamp_cc_test(name, srcs, deps = [], **kwargs):
    """A GoogleTest of TensorFlow-free code."""
    native.cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        copts = _COPTS,
        linkstatic = True,
        deps = deps + ["@local_gtest//:gtest_main"],
        **kwargs
    )
