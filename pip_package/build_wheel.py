"""Packs the files that Bazel hands over into a wheel, with setuptools."""

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


def main():
    parser = argparse.ArgumentParser()
    for option in ("--out", "--license", "--readme", "--examples"):
        parser.add_argument(option, type=lambda path: pathlib.Path(path).absolute(), required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--tf-version", required=True)
    parser.add_argument("files", type=pathlib.Path, nargs="+")
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
        shutil.copyfile(args.license, "LICENSE")
        setuptools.setup(
            script_args=["--quiet", "bdist_wheel", "--dist-dir", "."],
            distclass=BinaryDistribution,
            cmdclass={"bdist_wheel": Wheel},
            name=PACKAGE,
            version=args.version,
            description="Candidate samplers and sampled losses for TensorFlow",
            long_description=args.readme.read_text(),
            long_description_content_type="text/markdown",
            license="Apache-2.0",
            license_files=["LICENSE"],
            python_requires=">=3.10",
            install_requires=["numpy"],
            extras_require={
                "cpu": ["tensorflow-cpu" + tensorflow],
                "gpu": ["tensorflow[and-cuda]" + tensorflow],
                "examples": args.examples.read_text().splitlines(),
            },
            packages=setuptools.find_namespace_packages(include=[PACKAGE, PACKAGE + ".*"]),
            package_data={"": ["*.so", "py.typed"]},
            zip_safe=False,
        )
        shutil.copyfile(args.out.name, args.out)


if __name__ == "__main__":
    main()
