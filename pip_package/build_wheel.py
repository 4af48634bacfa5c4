# SPDX-License-Identifier: Apache-2.0
"""Packs the files that Bazel hands over into a wheel, with setuptools: see pyproject.toml."""

import argparse
import os
import pathlib
import shutil
import tempfile
import warnings

import setuptools
from setuptools.command.bdist_wheel import bdist_wheel

PACKAGE = "tf_candsamp"


class BinaryDistribution(setuptools.Distribution):
    """Holds a shared object, though not one that setuptools built."""

    def has_ext_modules(self):
        return True


class Wheel(bdist_wheel):
    """For any Python 3 of one platform: the op library does not use Python's ABI."""

    def get_tag(self):
        return "py3", "none", "linux_x86_64"


def stage(files, directory):
    """Copies source and generated files, given relative to Bazel's root, into one tree."""
    for file in files:
        target = directory.joinpath(*file.parts[file.parts.index(PACKAGE) :])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def absolute(path):
    return pathlib.Path(path).absolute()


def main():
    parser = argparse.ArgumentParser()
    for option in ("--out", "--examples"):
        parser.add_argument(option, type=absolute, required=True)
    parser.add_argument("--metadata", type=absolute, nargs="+", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--tf-version", required=True)
    parser.add_argument("--files", type=pathlib.Path, nargs="+", required=True)
    args = parser.parse_args()

    # Two builds of the same sources give the same bytes; zip knows no earlier date.
    os.environ["SOURCE_DATE_EPOCH"] = "315532800"
    # The ops are linked against one minor version's ABI.
    tensorflow = "~=" + ".".join(args.tf_version.split(".")[:2]) + ".0"

    # bdist_wheel itself goes through the command that this warns of.
    warnings.filterwarnings("ignore", "setup.py install is deprecated")

    with tempfile.TemporaryDirectory() as directory:
        stage(args.files, pathlib.Path(directory))
        os.chdir(directory)
        for file in args.metadata:
            shutil.copyfile(file, file.name)
        setuptools.setup(
            script_args=["--quiet", "bdist_wheel", "--dist-dir", "."],
            distclass=BinaryDistribution,
            cmdclass={"bdist_wheel": Wheel},
            version=args.version,
            extras_require={
                "cpu": ["tensorflow-cpu" + tensorflow],
                "gpu": ["tensorflow[and-cuda]" + tensorflow],
                "examples": args.examples.read_text().splitlines(),
            },
        )
        shutil.copyfile(args.out.name, args.out)


if __name__ == "__main__":
    main()
