#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/api.md: every public name of the installed package, from its docstring.

Run: .venv/bin/python tools/api_reference.py [--check]

--check changes nothing, and fails if the page is not what the docstrings make.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import inspect
import pathlib
import re
import sys
import textwrap

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs/api.md"
MODULES = (
    "tf_candsamp",
    "tf_candsamp.data",
    "tf_candsamp.keras.layers",
    "tf_candsamp.keras.optimizers",
    "tf_candsamp.row_optimizers",
)
HEAD = """\
# API reference

Made of the docstrings by `tools/api_reference.py`: change those, not this page.
`import tf_candsamp as tfcs` is taken for granted.
"""
# Keras calls these; nobody else should.
HIDDEN = (
    "build",
    "compute_mask",
    "compute_output_shape",
    "compute_output_spec",
    "load_own_variables",
    "save_own_variables",
)
SECTION = re.compile(r"^(Args|Call arguments|Returns|Raises|Yields|Attributes):$")
# A line of names that goes on in the next one.
NAMES = re.compile(r"^(?:\*{0,2}\w+, *)+$")
ITEM = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*):(?: (.*))?$")


@dataclasses.dataclass
class Name:
    """A public name: where it is, and the object."""

    module: str
    name: str
    thing: object

    @property
    def is_class(self):
        return inspect.isclass(self.thing)


def public_names(module_name):
    """The names of a module's __all__ that have docstrings, or none if there is no such module."""
    try:
        if importlib.util.find_spec(module_name) is None:
            return []
    except ModuleNotFoundError:
        return []
    module = importlib.import_module(module_name)
    names = [name for name in getattr(module, "__all__", ()) if not name.startswith("_")]
    found = [Name(module_name, name, getattr(module, name)) for name in sorted(names)]
    return [name for name in found if callable(name.thing)]


def signature(function, name):
    """A call with every argument and default, without types; lines of at most 88 characters."""
    parts, has_star = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not has_star:
            parts.append("*")
            has_star = True
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(
            parameter.kind, ""
        )
        has_star = has_star or prefix == "*"
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        parts.append(f"{prefix}{parameter.name}{default}")
    text = f"{name}({', '.join(parts)})"
    if len(text) <= 88:
        return text
    return "\n".join(textwrap.wrap(text, 88, subsequent_indent="    ", break_long_words=False))


def markdown(docstring):
    """A docstring of Google's style as Markdown: its sections become lists."""
    lines = inspect.cleandoc(docstring).split("\n")
    out, at = [], 0
    while at < len(lines):
        match = SECTION.match(lines[at])
        if not match:
            out.append(_text(lines[at]))
            at += 1
            continue
        body = []
        at += 1
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith(" ")):
            body.append(lines[at])
            at += 1
        out += [f"**{match[1]}**", "", *_section(body, has_items=match[1] != "Returns"), ""]
    return _examples(re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip())


def _section(body, has_items=True):
    body = textwrap.dedent("\n".join(body)).strip("\n").split("\n")
    lines, names = [], ""
    for line in body:
        if NAMES.match(line + " "):
            names += line + " "
        else:
            lines.append(names + (line.lstrip() if names else line))
            names = ""
    items = []
    for line in lines:
        match = ITEM.match(line) if has_items else None
        if match:
            names_of_item = ", ".join(f"`{name}`" for name in match[1].split(", "))
            items.append(f"- {names_of_item}: {_text(match[2] or '')}".rstrip())
        else:
            items.append(
                ("  " if items and items[0].startswith("- ") else "") + _text(line.strip())
            )
    return items


def _text(line):
    """Stars and underlines of formulas are no emphasis; code is left as it is."""
    if line.startswith(("    ", ">>> ", "... ")):
        return line
    parts = line.split("`")
    parts[::2] = [re.sub(r"([*_<|])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _examples(text):
    """Examples with prompts as blocks of code, each up to the next empty line."""
    out, inside = [], False
    for line in text.split("\n"):
        if line.startswith(">>> ") and not inside:
            out.append("```pycon")
            inside = True
        elif inside and not line.strip():
            out.append("```")
            inside = False
        out.append(line.replace("\\", "") if inside else line)
    return "\n".join([*out, "```"] if inside else out)


def members(cls):
    """Public methods and properties that a class or one of this package's base classes defines."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("tf_candsamp") and "keras_state" not in base.__module__:
            found |= {
                name: member
                for name, member in vars(base).items()
                if not name.startswith("_")
                and name not in HIDDEN
                and getattr(member, "__doc__", None)
            }
    return found


def inherited(cls, name):
    """The public class that already describes a member, if it is not this one."""
    for base in cls.__mro__[1:]:
        if name in vars(base) and base.__name__ == "Sampler" and name not in vars(cls):
            return base.__name__
    return None


def described(name):
    """The section of one name."""
    out = [f"### {name.name}", ""]
    thing = name.thing
    path = name.module.replace("tf_candsamp", "tfcs", 1)
    is_tuple = name.is_class and issubclass(thing, tuple)
    if is_tuple:
        out += [f"    {path}.{name.name}({', '.join(thing._fields)})", ""]
    else:
        call = signature(thing.__init__ if name.is_class else thing, f"{path}.{name.name}")
        out += [*textwrap.indent(call, "    ").split("\n"), ""]
    if is_tuple:  # a sentence, then a line for each field
        summary, _, fields = inspect.cleandoc(thing.__doc__).partition("\n\n")
        return [*out, _text(summary), "", *_section(fields.split("\n")), ""]
    out += [markdown(thing.__doc__ or ""), ""]
    if not name.is_class:
        return out
    of_base = []
    for member_name, member in sorted(members(thing).items()):
        if inherited(thing, member_name):
            of_base.append(f"[`{member_name}`](#{anchor('Sampler.' + member_name)})")
            continue
        function = getattr(member, "__func__", member)
        is_property = isinstance(member, property)
        title = f"#### {name.name}.{member_name}"
        out += [title, ""]
        if not is_property and callable(function):
            call = signature(function, f".{member_name}")
            out += [*textwrap.indent(call, "    ").split("\n"), ""]
        out += [markdown(member.__doc__), ""]
    if of_base:
        out += [f"As in [Sampler](#sampler): {', '.join(of_base)}.", ""]
    return out


def anchor(title):
    """The name under which GitHub links to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def page():
    """The text of docs/api.md."""
    modules = [(module, public_names(module)) for module in MODULES]
    contents, body = [], []
    for module, names in modules:
        if not names:
            continue
        links = [f"[{name.name}](#{anchor(name.name)})" for name in names]
        contents += [f"- `{module}`: " + " · ".join(links)]
        body += [f"## {module}", ""]
        for name in names:
            body += described(name)
    text = "\n".join([HEAD, *contents, "", *body])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        print("docs/api.md is not what the docstrings make: run tools/api_reference.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
