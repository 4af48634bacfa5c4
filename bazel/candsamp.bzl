# SPDX-License-Identifier: Apache-2.0
"""The kinds of target this project has, and every compiler flag."""

load("@local_cuda//:config.bzl", "CUDA_ARCHS", "CXX", "HAS_CUDA", "NVCC")
load("@local_tensorflow//:config.bzl", "TF_COPTS")
load(":precompiled.bzl", "precompiled_header")

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

# The GPUs of a release, by compute capability, as nvcc numbers them.
_RELEASE_GPUS = [80, 86, 89, 90]

def _gpus():
    """The GPUs that get machine code: what "make CUDA_ARCHS=..." asks for."""
    if CUDA_ARCHS == "all":
        return _RELEASE_GPUS
    archs = [arch.strip() for arch in CUDA_ARCHS.split(",") if arch.strip()]
    for arch in archs:
        if not arch.isdigit():
            fail(("CUDA_ARCHS is '%s': expected 'all', 'none', or compute capabilities with ',' between " +
                  "them, as '80,90'. Without it the wheel holds PTX alone.") % CUDA_ARCHS)
    return sorted([int(arch) for arch in archs])

_GPUS = _gpus()

# A GPU that has no machine code here compiles PTX when it first loads it, if it is no older than the
# PTX. So builds for no GPU in particular hold the oldest, which all run; others serve later GPUs.
_PTX = _GPUS[-1] if _GPUS else _RELEASE_GPUS[0]

# The device code in the wheel, as nvcc names it.
GPU_CODE = ["sm_%d" % gpu for gpu in _GPUS] + ["compute_%d" % _PTX] if HAS_CUDA else []

# Tells a user which GPUs have kernels.
GPU_DEFINES = ["CANDSAMP_GPUS=" + ",".join([str(gpu) for gpu in _GPUS or [_PTX]])]

_NVCC_OPTS = [
    "-std=c++17",
    "-O3",
    "--fmad=false",
] + [
    "-gencode=arch=compute_%s,code=%s" % (code.split("_")[1], code)
    for code in GPU_CODE
] + [
    # The host's half of a file keeps to _COPTS.
    "-Xcompiler=-fPIC,-Wall,-Wextra,-ffp-contract=off,-fvisibility=hidden",
    # Names of temporary files are in the object: these are the same in every build.
    "--objdir-as-tempdir",
]

# All of the project may depend on a library.
_PROJECT = ["//:__subpackages__"]

def if_cuda(if_true, if_false = []):
    """A choice for BUILD files: whether the build has found a CUDA toolkit."""
    return if_true if HAS_CUDA else if_false

def candsamp_cc_library(name, **kwargs):
    """A library of cc/lib: free of TensorFlow."""
    native.cc_library(
        name = name,
        copts = _COPTS,
        linkstatic = True,
        visibility = _PROJECT,
        **kwargs
    )

def _folder():
    """The arguments that make a folder one library of its own name."""
    return {
        "name": native.package_name().split("/")[-1],
        "srcs": native.glob(["*.cc"]),
        "hdrs": native.glob(["*.h"]),
    }

def candsamp_cc_folder(deps = []):
    """A folder of cc/lib as one library: //cc/lib/losses is all files in it."""
    candsamp_cc_library(deps = deps, **_folder())

def candsamp_tf_folder(deps):
    """The same for a folder of cc/ops or cc/kernels."""
    candsamp_tf_library(deps = deps, **_folder())

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
            visibility = _PROJECT,
            **kwargs
        )
    objects = [name + "_" + isa for isa in isas]
    native.cc_library(
        name = name,
        hdrs = hdrs,
        linkstatic = True,
        deps = deps + objects,
        visibility = _PROJECT,
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
        srcs = ["//tests/cc/testing:isa_symbols_test.sh"],
        args = [",".join(isas), "$(locations :%s_objects)" % name],
        data = [name + "_objects"],
    )

def candsamp_precompiled_header(name, header):
    """TensorFlow's headers, parsed once: that takes longer than all else of a kernel."""
    precompiled_header(
        name = name,
        header = header,
        copts = _TF_COPTS,
        visibility = ["//cc:__subpackages__"],
        deps = ["@local_tensorflow//:headers"],
    )

def candsamp_tf_library(name, deps = [], **kwargs):
    """A library of cc/ops or cc/kernels: sees TensorFlow, and is linked for its registrations."""
    native.cc_library(
        name = name,
        copts = _TF_COPTS + [
            "-include",
            "bazel/precompiled.h",
            "-Winvalid-pch",
            # Bazel learns from the compiler which headers were read: those, too.
            "-fpch-deps",
        ],
        linkstatic = True,
        alwayslink = True,
        deps = deps + ["//bazel:precompiled", "@local_tensorflow//:headers"],
        visibility = _PROJECT,
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

def candsamp_unit_tests(library, tests):
    """Tests of one library: {"half": [more deps]} is half_test from half_test.cc."""
    for name, deps in tests.items():
        candsamp_cc_test(
            name = name + "_test",
            srcs = [name + "_test.cc"],
            deps = [library] + deps,
        )

def _cuda_objects_impl(ctx):
    headers = depset(
        ctx.files.hdrs,
        transitive = [dep[CcInfo].compilation_context.headers for dep in ctx.attr.deps],
    )
    objects = []
    dependencies = []
    for source in ctx.files.srcs:
        stem = source.basename[:-len(".cu")]
        object = ctx.actions.declare_file("%s/%s.pic.o" % (ctx.label.name, stem))
        listing = ctx.actions.declare_file("%s/%s.d" % (ctx.label.name, stem))
        ctx.actions.run(
            mnemonic = "CudaCompile",
            progress_message = "Compiling %s for %s" % (source.short_path, ", ".join(GPU_CODE)),
            executable = NVCC,
            arguments = _NVCC_OPTS + [
                "-ccbin=" + CXX,
                "-I.",
                "-MD",
                "-MF",
                listing.path,
                "-c",
                source.path,
                "-o",
                object.path,
            ],
            env = {"PATH": "/usr/bin:/bin"},
            inputs = depset([source], transitive = [headers]),
            outputs = [object, listing],
        )
        objects.append(object)
        dependencies.append(listing)
    return [
        DefaultInfo(files = depset(objects)),
        OutputGroupInfo(dependencies = depset(dependencies)),
    ]

_cuda_objects = rule(
    implementation = _cuda_objects_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cu"]),
        "hdrs": attr.label_list(allow_files = [".h"]),
        "deps": attr.label_list(providers = [CcInfo]),
    },
    doc = "nvcc's objects, and in the output group \"dependencies\" all that it read for them.",
)

def candsamp_cuda_library(name, srcs, hdrs = [], deps = [], **kwargs):
    """Kernels and their launchers. nvcc's include paths are the workspace and the CUDA toolkit.

    NAME_headers_test checks that nothing of TensorFlow or Eigen came in.
    """
    objects = name + "_objects"
    dependencies = name + "_dependencies"
    _cuda_objects(
        name = objects,
        srcs = srcs,
        hdrs = hdrs,
        # The runtime's headers are nvcc's own: this one is for Bazel to know what needs a toolkit.
        deps = deps + ["@local_cuda//:runtime"],
    )
    native.cc_library(
        name = name,
        srcs = [objects],
        hdrs = hdrs,
        linkstatic = True,
        deps = deps + ["@local_cuda//:runtime"],
        visibility = _PROJECT,
        **kwargs
    )
    native.filegroup(
        name = dependencies,
        testonly = True,
        srcs = [objects],
        output_group = "dependencies",
    )
    native.sh_test(
        name = name + "_headers_test",
        size = "small",
        srcs = ["//tests/cuda:no_tensorflow_headers_test.sh"],
        args = ["$(locations :%s)" % dependencies],
        data = [dependencies],
    )

def candsamp_cuda_host_library(name, deps = [], **kwargs):
    """Plain C++ beside the kernels, which calls the CUDA runtime; free of TensorFlow."""
    native.cc_library(
        name = name,
        copts = _COPTS,
        local_defines = GPU_DEFINES,
        linkstatic = True,
        deps = deps + ["@local_cuda//:runtime"],
        visibility = _PROJECT,
        **kwargs
    )

# For machines of another distribution: only glibc is needed there. The toolchain's own "-lstdc++"
# comes after these, and adds nothing.
_PORTABLE_LINKOPTS = [
    "-l:libstdc++.a",
    "-static-libgcc",
    "-Wl,--as-needed,--exclude-libs=libstdc++.a",
]

def candsamp_program(name, **kwargs):
    """A program for a GPU, which the tests only build: tools/gpu_check runs it where there is one."""
    native.cc_binary(
        name = name,
        testonly = True,
        copts = _COPTS,
        linkopts = _PORTABLE_LINKOPTS,
        linkstatic = True,
        visibility = _PROJECT,
        **kwargs
    )

def candsamp_program_test(name, **kwargs):
    """A test that is a program of its own, without GoogleTest."""
    native.cc_test(
        name = name,
        size = "small",
        copts = _COPTS,
        linkstatic = True,
        **kwargs
    )

def candsamp_c_library(name, deps, **kwargs):
    """A shared object that exports what is marked to be: for ctypes, here and on other machines."""
    native.cc_binary(
        name = name,
        copts = _COPTS,
        linkshared = True,
        linkstatic = True,
        linkopts = _PORTABLE_LINKOPTS + ["-Wl,-z,defs"],
        deps = deps,
        visibility = _PROJECT,
        **kwargs
    )

def candsamp_threads_test(name, srcs, deps = [], **kwargs):
    """A GoogleTest of code that several threads run at once: NAME, and NAME_tsan for races.

    ThreadSanitizer sees what these sources include, not what they link.
    """
    candsamp_cc_test(name = name, srcs = srcs, deps = deps, **kwargs)
    binary = name + "_tsan_binary"
    native.cc_binary(
        name = binary,
        testonly = True,
        srcs = srcs,
        copts = _COPTS + ["-O1", "-g", "-fsanitize=thread"],
        linkopts = ["-fsanitize=thread"],
        linkstatic = True,
        deps = deps + ["@local_gtest//:gtest_main"],
        **kwargs
    )
    native.sh_test(
        name = name + "_tsan",
        size = "medium",
        srcs = ["//tests/cuda:tsan_test.sh"],
        args = ["$(location :%s)" % binary],
        data = [binary],
    )
