"""What the BUILD files say, built by g++ and nvcc alone: for machines without Bazel and TensorFlow.

Starlark's syntax is Python's, so that BUILD files and bazel/candsamp.bzl run here as they are; what
they call of Bazel's only takes notes. Sources and flags are thus written once, for both.
"""

import concurrent.futures
import glob
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent


# What a BUILD file may call without loading it.
_RULES = ("cc_binary", "cc_library", "cc_test", "filegroup", "genrule", "sh_test", "test_suite")
_IGNORED = {name: lambda *args, **kwargs: None for name in ("exports_files", "glob", "package")}


class BuildError(Exception):
    """A sentence for the user."""


class _Anything:
    """Stands for what Bazel needs to know and we do not."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class BuildFiles:
    """The targets of the packages that have been asked for, by label."""

    def __init__(self, repositories):
        self.targets = {}
        self._repositories = repositories  # label of a .bzl file: its names
        self._files = {}
        self._packages = set()
        self._package = None  # whose BUILD file is being run

    def target(self, label):
        package = label[2:].split(":")[0]
        if package not in self._packages:
            self._packages.add(package)
            outer, self._package = self._package, package
            rules = {kind: self._rule(kind) for kind in _RULES}
            self._run(ROOT / package / "BUILD", _IGNORED | rules)
            self._package = outer
        if label not in self.targets:
            raise BuildError(f"There is no target {label}.")
        return self.targets[label]

    def bzl(self, label):
        """The names in a .bzl file."""
        if label in self._repositories:
            return self._repositories[label]
        if label not in self._files:
            path = ROOT / label[2:].replace(":", "/")
            native = type("Native", (), {"__getattr__": lambda _, kind: self._rule(kind)})()
            names = {name: _Anything() for name in ("attr", "CcInfo")}
            names["native"] = native
            names["rule"] = lambda implementation, **_: self._rule(implementation.__name__)
            self._files[label] = self._run(path, names)
        return self._files[label]

    def _run(self, path, names):
        def load(label, *wanted):
            names.update({name: self.bzl(label)[name] for name in wanted})

        names["load"] = load
        exec(compile(path.read_text(), str(path), "exec"), names)
        return names

    def _rule(self, kind):
        def note(name, **attributes):
            label = f"//{self._package}:{name}"
            self.targets[label] = types.SimpleNamespace(
                label=label, kind=kind, package=self._package, **attributes
            )

        return note

    def closure(self, label):
        """The target and all that it needs of this project."""
        found = {}

        def visit(label):
            if label in found or label.startswith("@"):
                return
            target = found[label] = self.target(label)
            sources = getattr(target, "srcs", [])
            files = [source for source in sources if "." in source]
            for needed in getattr(target, "deps", []) + [x for x in sources if x not in files]:
                visit(_absolute(needed, target.package))
            target.files = [f"{target.package}/{file}" for file in files]

        visit(label)
        return list(found.values())


def _absolute(label, package):
    if label.startswith(("//", "@")):
        return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1]}"
    return f"//{package}:{label.removeprefix(':')}"


class Toolkit:
    """g++, and an nvcc with what belongs to it. Without nvcc, `nvcc` is None."""

    def __init__(self):
        self.cxx = shutil.which("g++")
        if not self.cxx:
            raise BuildError("There is no g++ on PATH.")
        self.nvcc = None
        for nvcc in self._candidates():
            try:
                said = subprocess.run(
                    [nvcc, "--dryrun", "-c", "probe.cu"], capture_output=True, text=True
                ).stderr
            except OSError:
                continue
            top = re.search(r"^#\$ TOP=(.*)$", said, re.MULTILINE)
            if not top:
                continue
            self.top = pathlib.Path(top[1]).resolve()
            for home in (self.top / "targets/x86_64-linux", self.top):
                runtimes = [home / lib / "libcudart_static.a" for lib in ("lib", "lib64")]
                found = [runtime for runtime in runtimes if runtime.exists()]
                if found and (home / "include/cuda_runtime_api.h").exists():
                    self.nvcc = str(self.top / "bin/nvcc")
                    self.include = str(home / "include")
                    self.runtime = str(found[0])
                    return

    @staticmethod
    def _candidates():
        """As bazel/cuda.bzl looks for it."""
        if os.environ.get("CUDA_HOME"):
            yield os.environ["CUDA_HOME"] + "/bin/nvcc"
        if shutil.which("nvcc"):
            yield shutil.which("nvcc")
        yield "/usr/local/cuda/bin/nvcc"
        for folder in sys.path:
            yield from glob.glob(folder + "/nvidia/cu*/bin/nvcc")

    def tool(self, name):
        """Where another program of the toolkit is, or None."""
        found = shutil.which(name)
        if not found and self.nvcc:
            found = shutil.which(name, path=f"{self.top}/bin:{self.top}/{name}")
        return found


class Builder:
    """Builds targets into a folder; what has not changed stays."""

    def __init__(self, folder, toolkit, gpus="native", jobs=None):
        self._folder = pathlib.Path(folder)
        self._toolkit = toolkit
        self._gpus = gpus
        self._jobs = jobs or os.cpu_count()
        self._targets = BuildFiles(
            {
                "@local_cuda//:config.bzl": {"HAS_CUDA": True, "CXX": None, "NVCC": None},
                # What a build without TensorFlow has of its flags.
                "@local_tensorflow//:config.bzl": {"TF_COPTS": ["-std=c++17"]},
            }
        )

    def plan(self, label):
        """(object, command) for each source that the target needs."""
        for target in self._targets.closure(label):
            for file in target.files:
                source = pathlib.PurePath(file)
                if source.suffix not in (".cc", ".cu"):
                    continue
                name = target.label[2:].replace(":", "/")
                object_ = self._folder / "objects" / name / (source.stem + ".o")
                flags = self._nvcc_flags() if source.suffix == ".cu" else self._cxx_flags(target)
                yield (
                    object_,
                    flags + ["-I.", "-MD", "-MF", f"{object_}.d", "-c", file, "-o", str(object_)],
                )

    def build(self, *labels):
        """Builds programs and shared libraries; returns their paths."""
        plans = {label: list(self.plan(label)) for label in labels}
        commands = dict(step for plan in plans.values() for step in plan)
        # nvcc's take longest.
        order = sorted(commands, key=lambda path: "cuda" not in str(path))
        with concurrent.futures.ThreadPoolExecutor(self._jobs) as pool:
            for _ in pool.map(lambda path: self._make(path, commands[path]), order):
                pass
        return [self._link(label, [path for path, _ in plan]) for label, plan in plans.items()]

    def _cxx_flags(self, target):
        defines = [f"-D{define}" for define in getattr(target, "local_defines", [])]
        flags = [self._toolkit.cxx, "-fPIC"] + target.copts + defines
        return flags + (["-isystem", self._toolkit.include] if self._toolkit.nvcc else [])

    def _nvcc_flags(self):
        flags = self._targets.bzl("//bazel:candsamp.bzl")["_NVCC_OPTS"]
        if self._gpus != "all":
            flags = [flag for flag in flags if not flag.startswith("-gencode")]
            flags.append(f"-arch={self._gpus}")
        return [self._toolkit.nvcc, f"-ccbin={self._toolkit.cxx}", *flags]

    def _link(self, label, objects):
        target = self._targets.target(label)
        name = label[2:].replace("/", "_").replace(":", "_")
        shared = getattr(target, "linkshared", False)
        output = self._folder / (f"lib{name}.so" if shared else name)
        command = [self._toolkit.cxx, *map(str, objects), "-o", str(output)]
        command += ["-shared", "-Wl,-z,defs"] if shared else []
        if self._toolkit.nvcc:
            command += [self._toolkit.runtime]
        command += ["-ldl", "-lpthread", "-lrt"]
        self._make(output, command, objects)
        return output

    def _make(self, output, command, inputs=None):
        """Runs a command, unless it ran before with the same inputs."""
        stamp = pathlib.Path(f"{output}.stamp")
        if (
            output.exists()
            and stamp.exists()
            and stamp.read_text() == _key(command, output, inputs)
        ):
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}does not work.")
        stamp.write_text(_key(command, output, inputs))


def _key(command, output, inputs):
    """A hash of a command and of all files that it read."""
    key = hashlib.sha256("\0".join(command).encode())
    if inputs is None:
        rule = pathlib.Path(f"{output}.d").read_text().replace("\\\n", " ")
        inputs = rule.split(":", 1)[1].split()
    for path in inputs:
        try:
            key.update((ROOT / path).read_bytes())
        except OSError:
            key.update(b"missing")
    return key.hexdigest()
