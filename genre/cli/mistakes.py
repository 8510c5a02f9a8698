"""Mistakes in the options of ``genre fit``, ``validate`` and ``test``, each in one line with the nearest option."""

from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser

from genre.cli.arguments import flat_options, load_yaml, split
from genre.cli.classes import (
    GROUPS,
    OPTIONS,
    class_paths,
    describe_type,
    find_class,
    is_plain,
    last_part,
    parameters,
    subclasses,
)
from genre.cli.help_page import CLASSES
from genre.cli.options import did_you_mean, usage_error

#: Options that have to be given.
REQUIRED = ("model.network", "data")

#: Options that every parser of LightningCLI has.
COMMON = ("config", "print_config", "help")

#: The option that ``validate`` and ``test`` need, for messages.
CHECKPOINT = "--ckpt_path runs/<name>/version_N/checkpoints/best.ckpt"


def report_mistake(error: ArgumentError, parser: LightningArgumentParser, arguments: Sequence[str]) -> NoReturn:
    """Prints what :func:`find_mistake` finds, or the innermost error's message; exits with status 2."""
    mistake = find_mistake(arguments, [name for name in vars(parser.get_defaults()) if name not in GROUPS])
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if mistake is not None and mistake.startswith("missing "):
        usual = "--config RECIPE" if parser.prog == "genre fit" else f"{CHECKPOINT}, whose run has its own config.yaml"
        mistake += f"; give what is missing, or {usual}"
    line = mistake or " ".join(str(cause).split())
    usage_error(line if len(line) <= 400 else f"{line[:400]} …")


def find_mistake(arguments: Sequence[str], known: Sequence[str]) -> str | None:
    """The first mistake in the arguments and in the configuration files among them, in one line.

    Returns:
        ``None`` if all names and classes are known, and all plain values have their option's type.
    """
    classes: dict[str, Any] = dict(GROUPS)
    given: list[str] = []
    for name, value in flat_options(split(arguments)):
        line = _mistake(name, value, classes, [*known, *COMMON])
        if line is not None:
            return line
        given.append(name)
        if last_part(name) in OPTIONS and isinstance(value, str) and value != "null":
            classes[name] = find_class(name, value) or Any
    return _missing(given, classes)


def _mistake(name: str, value: Any, classes: Mapping[str, Any], known: Sequence[str]) -> str | None:
    """The error in an option, given the classes that earlier options have chosen."""
    parts = name.split(".")
    groups = [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
    for group in groups:
        if last_part(group) in OPTIONS and group not in classes:
            example = CLASSES.get(last_part(group), ["CLASS"])[0]
            return f"found no class for --{group} before its arguments; give --{group} too, such as --{group} {example}"
    if name in OPTIONS:
        return _wrong_class(name, value)
    owner = next((group for group in groups if group in classes), "")
    cls = classes.get(owner)
    if cls is Any:  # unknown: for example, several classes have this short name
        return None
    argument = (name.removeprefix(f"{owner}.").removeprefix("dict_kwargs.") if owner else name).partition(".")[0]
    if argument not in (known if cls is None else parameters(cls)):
        inner = [f"{group}.{item}" for group, one in classes.items() if one is not Any for item in parameters(one)]
        return f"unknown option --{name}{did_you_mean(f'--{name}', [*known, *inner])}"
    if cls is None or name != f"{owner}.{argument}":
        return None
    if last_part(name) in OPTIONS:
        return _wrong_class(name, value)
    hint = parameters(cls)[argument].annotation
    if is_plain(hint) and not _fits(hint, value):
        return f"{name}: expected {describe_type(hint)}; found '{str(value)[:80]}'"
    return None


def _wrong_class(name: str, value: Any) -> str | None:
    """The error in the value of an option that takes a class, or a list of them."""
    if isinstance(value, str) and value.startswith("["):
        try:
            items = yaml.safe_load(value)
        except yaml.YAMLError:
            return f"{name}: expected a list such as [A, B]; found '{value[:80]}'"
        names = [item.get("class_path") if isinstance(item, dict) else item for item in items]
        return next(filter(None, (_wrong_class(name, item) for item in names)), None)
    if not isinstance(value, str) or value in ("null", "true", "false") or Path(value).is_file():
        return None
    base = OPTIONS[last_part(name)][0]
    cls = find_class(name, value)
    paths = class_paths(last_part(name))
    if cls is None:
        several = sorted({f"{cls.__module__}.{value}" for cls in subclasses(base) if cls.__name__ == value})
        if len(several) > 1:
            return f"{name}: several classes are named {value}; give the full name of one, such as {several[0]}"
        close = get_close_matches(value.rpartition(".")[2], paths, n=1)
        hint = f"did you mean {close[0]}?" if close else f"give its full path, such as {next(iter(paths.values()))}"
        return f"{name}: no class named {value} fits here; {hint}"
    if isinstance(cls, type) and not issubclass(cls, base):
        known = f"choose {', '.join(paths)}" if len(paths) < 10 else f"such as {next(iter(paths.values()))}"
        return f"{name}: {cls.__module__}.{cls.__name__} is no {base.__name__}; {known}, or a class derived from it"
    return None


def _missing(given: Sequence[str], classes: Mapping[str, Any]) -> str | None:
    """Names the required options that are missing."""
    needed = [name for name in REQUIRED if name not in given]
    for owner, cls in classes.items():
        if owner not in GROUPS and cls is not Any and last_part(owner) not in ("optimizer", "scheduler", "network"):
            for name, item in parameters(cls).items():
                option = f"{owner}.{name}"
                if item.default is item.empty and not any(f"{one}.".startswith(f"{option}.") for one in given):
                    needed.append(option)
    if not needed:
        return None
    *first, last = (f"--{name}" for name in needed)
    return f"missing {', '.join(first)} and {last}" if first else f"missing {last}"


def _fits(hint: Any, value: Any) -> bool:
    """Whether a value, or a text as it is or read as YAML, has a type."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    values = [value, load_yaml(value)] if isinstance(value, str) else [value]
    for candidate in values:
        try:
            parser.parse_object({"value": candidate})
        except ArgumentError:
            continue
        return True
    return False
