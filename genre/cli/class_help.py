"""Help pages that list the arguments of classes, from their signatures and docstrings."""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import docstring_parser

from genre.cli.classes import (
    LISTS,
    OPTIONS,
    annotation,
    describe,
    find_class,
    known_names,
    last_part,
    parameters,
)
from genre.cli.parser import GROUPS
from genre.data import GenreDataModule

#: The argument of each option's class that the library passes itself, by the last part of the option's name.
GIVEN = {"model": "genres", "data": "seed", "network": "num_classes", "optimizer": "params", "scheduler": "optimizer"}


def class_page(verb: str, option: str, name: str) -> str:
    """The help page of a class."""
    group = option.lstrip("-")
    if last_part(option) not in OPTIONS and group not in GROUPS:
        sys.exit(_refuse(f"{option}.help: no option that takes a class; such are {', '.join([*OPTIONS, *GROUPS])}"))
    cls = GROUPS.get(group) or (find_class(option, name) if name else None)
    if cls is None:
        sys.exit(_refuse(f"{option}.help: found '{name}'; {known_names(option)}"))
    plus = "+" if last_part(option) in (*LISTS, "callbacks") else ""
    chosen = "" if group in GROUPS else f" {option}{plus} {cls.__name__}"
    documentation = (inspect.getdoc(cls) or "").partition("\n")[0]
    usage = f"usage: genre {verb}{chosen} {option}.ARGUMENT VALUE …"
    return "\n".join([usage, "", f"{cls.__name__}: {documentation}", "", arguments_of(option, cls)])


def every_option() -> str:
    """The help on every option of the model, the data, the Trainer and the checkpoints."""
    groups = {"model": GROUPS["model"], "data": GenreDataModule, **GROUPS}
    return "\n\n".join(f"arguments of --{name}:\n{arguments_of(f'--{name}', cls)}" for name, cls in groups.items())


def arguments_of(option: str, cls: Callable[..., Any]) -> str:
    """The arguments of a class, one paragraph per argument.

    Required arguments come first, then those of the class itself, then those of its bases. In each of these parts,
    arguments that take a class come last.
    """
    texts = _texts(cls)
    given = {name: item for name, item in parameters(cls).items() if name != GIVEN.get(last_part(option))}
    inherited = _inherited(cls)

    def place(name: str) -> tuple[bool, bool, bool]:
        return given[name].default is not inspect.Parameter.empty, name in inherited, name in OPTIONS

    lines: list[str] = []
    for name in sorted(given, key=place):
        item, text = given[name], texts.get(name, "")
        default = "required" if item.default is item.empty else f"default: {_shown(item.default)}"
        lines.append(f"  {option}.{name}: {describe(annotation(cls, name))} ({default})")
        if name in OPTIONS:
            text = f"{text} {known_names(name)[0].upper()}{known_names(name)[1:]}."
        lines += textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def _inherited(cls: Any) -> set[str]:
    """The names of the arguments that a class inherits."""
    bases = [base for base in inspect.getmro(cls)[1:] if "__init__" in vars(base)] if isinstance(cls, type) else []
    return {name for base in bases for name in parameters(base)}


def _texts(cls: Any) -> dict[str, str]:
    """The descriptions of arguments in the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for item in inspect.getmro(cls) if isinstance(cls, type) else (cls,):
        for source in (item, vars(item).get("__init__")):
            for entry in docstring_parser.parse(inspect.getdoc(source) or "").params:
                text = re.sub(r":\w+:`~?([^`]+)`", r"\1", " ".join((entry.description or "").split()))
                texts.setdefault(entry.arg_name, text.replace("``", ""))
    return texts


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "[]" if value == () else str(value)


def _refuse(line: str) -> int:
    print(f"genre: error: {line}", file=sys.stderr)
    return 2
