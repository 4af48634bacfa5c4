# SPDX-License-Identifier: Apache-2.0
"""Checks that each source of the project names its licence; --fix writes the lines that lack."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE = "SPDX-License-Identifier: Apache-2.0"

# How a comment begins and ends, by the end of a file's name.
COMMENTS = {
    **dict.fromkeys((".cc", ".cu", ".h"), ("// ", "")),
    **dict.fromkeys((".bzl", ".py", ".sh", ".toml", ".yaml", ".yml"), ("# ", "")),
    **dict.fromkeys(("BUILD", "Makefile", "WORKSPACE", ".bazelrc"), ("# ", "")),
    ".lds": ("/* ", " */"),
}


def comment(path, text):
    """The line that belongs into this file, or None where the file is not a source."""
    for ending, (begin, end) in COMMENTS.items():
        if path.name.endswith(ending):
            return f"{begin}{LINE}{end}\n"
    return f"# {LINE}\n" if text.startswith("#!") else None


def with_line(text, line):
    """The text with the line on top, below what says which program runs it."""
    lines = text.splitlines(keepends=True)
    lines.insert(1 if text.startswith("#!") else 0, line)
    return "".join(lines)


def main():
    fix = sys.argv[1:] == ["--fix"]
    if sys.argv[1:] and not fix:
        sys.exit(f"usage: {sys.argv[0]} [--fix]")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    missing = 0
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if not path.is_file():  # deleted, but not yet in a commit
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        line = comment(path, text)
        if line is None or not text or line in text.splitlines(keepends=True)[:2]:
            continue
        if fix:
            path.write_text(with_line(text, line))
        else:
            missing += 1
            print(f"{name} lacks the line '{line.strip()}': tools/licence_lines.py --fix adds it.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
