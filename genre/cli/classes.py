"""The classes that options take: their names, their arguments with types, and their help pages."""

import inspect
import json
import pydoc
import re
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import docstring_parser
import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback, callbacks, loggers
from torch import nn
from torch.optim import Optimizer, lr_scheduler

import genre.audio
import genre.data
import genre.finetuning
import genre.models
import genre.schedules
from genre.audio import Feature
from genre.classifier import GenreClassifier
from genre.cli.checkpoints import KeptCheckpoints
from genre.cli.options import usage_error
from genre.data import GenreDataModule, Split

#: The base class that an option takes, and the modules with such classes, by the last part of the option's name. If two
#: modules have a class of the same name, the first module's class is used.
OPTIONS: dict[str, tuple[type, tuple[ModuleType, ...]]] = {
    "data": (GenreDataModule, (genre.data,)),
    "features": (Feature, (genre.audio,)),
    "split": (Split, (genre.data,)),
    "network": (nn.Module, (genre.models,)),
    "optimizer": (Optimizer, (torch.optim,)),
    "scheduler": (lr_scheduler.LRScheduler, (genre.schedules, lr_scheduler)),
    "callbacks": (Callback, (genre.finetuning, callbacks)),
    "logger": (loggers.Logger, (loggers,)),
    "augment_waveform": (nn.Module, (genre.audio,)),
    "augment_spectrogram": (nn.Module, (genre.audio,)),
    "mixup": (nn.Module, (genre.audio,)),
}

#: The options whose class is always the same.
GROUPS: dict[str, Any] = {"model": GenreClassifier, "trainer": pl.Trainer, "checkpoint": KeptCheckpoints}

#: The argument of each option's class that the library passes itself, by the last part of the option's name.
GIVEN = {"model": "genres", "data": "seed", "network": "num_classes", "optimizer": "params", "scheduler": "optimizer"}

#: The options that take several classes.
LISTS = ("augment_waveform", "augment_spectrogram")

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    type(None): "null",
    None: "null",
}


def last_part(option: str) -> str:
    """``--data.augment_waveform+`` → ``augment_waveform``."""
    return option.rstrip("+").lstrip("-").rpartition(".")[2]


@cache
def class_paths(option: str) -> dict[str, str]:
    """The full names of the classes that an option takes, by their short names."""
    base, modules = OPTIONS[option]
    paths: dict[str, str] = {}
    for module in modules:
        for name, value in inspect.getmembers(module):  # also those that are imported on first use
            is_class = isinstance(value, type) and issubclass(value, base) and value is not base
            if is_class and value.__module__.startswith(module.__name__) and not name.startswith("_"):
                paths.setdefault(name, f"{module.__name__}.{name}")
    return paths


def own_path(option: str, name: str) -> str:
    """Completes the short name of a class of this library; returns any other name unchanged."""
    path = class_paths(last_part(option)).get(name, name)
    return path if path.startswith("genre.") else name


def find_class(option: str, name: str) -> Any:
    """The class with a short or full name, or the function with a full name.

    Returns:
        ``None`` if there is none, or if several classes have the short name.
    """
    base, modules = OPTIONS[last_part(option)]
    if "." in name:
        try:
            return pydoc.locate(name)
        except pydoc.ErrorDuringImport:
            return None
    path = class_paths(last_part(option)).get(name)
    if path is not None:
        return pydoc.locate(path)
    here = [getattr(module, name) for module in modules if hasattr(module, name)]
    others = {cls for cls in subclasses(base) if cls.__name__ == name}
    candidates = [*others, *here] if len(others) < 2 else []
    return candidates[0] if candidates else None


def subclasses(base: type) -> Iterator[type]:
    """All classes that derive from ``base`` and have been imported."""
    cls: type
    for cls in base.__subclasses__():
        yield cls
        yield from subclasses(cls)


def parameters(cls: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a class or function; if a class takes ``**kwargs``, those of its base class, too.

    The annotation of an argument is its type; ``Any`` where it is not known.
    """
    result: dict[str, inspect.Parameter] = {}
    takes_more = True
    for function in _constructors(cls):
        there = _signature(function)
        for name, item in there.items():
            if name == "self" or item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
                continue
            if takes_more:
                result.setdefault(name, item.replace(annotation=Any))
            # A class may leave the type of an argument to its base.
            if name in result and result[name].annotation is Any and _is_type(item.annotation):
                result[name] = result[name].replace(annotation=item.annotation)
        takes_more = takes_more and any(item.kind is item.VAR_KEYWORD for item in there.values())
    return result


def _signature(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function, eval_str=True).parameters
    except (NameError, TypeError, AttributeError, SyntaxError, ImportError):  # an annotation that has no value here
        return inspect.signature(function).parameters


def _is_type(annotation: Any) -> bool:
    return annotation is not inspect.Parameter.empty and not isinstance(annotation, str | list | dict | set)


def known_names(option: str) -> str:
    """The classes that an option takes, as a phrase for messages."""
    return f"known: {', '.join(class_paths(last_part(option)).values())}, or the full name of a class of your own"


def describe_type(hint: Any) -> str:
    """A type in words, such as ``a whole number or null``."""
    words = list(dict.fromkeys(_words(hint)))
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def is_plain(hint: Any) -> bool:
    """Whether a type consists of numbers, text, booleans, and lists of them."""
    if get_origin(hint) is Literal or hint in WORDS:
        return True
    arguments = [item for item in get_args(hint) if item is not ...]
    return bool(arguments) and get_origin(hint) is not Callable and all(map(is_plain, arguments))


def _constructors(cls: Any) -> list[Any]:
    if not isinstance(cls, type):
        return [cls]
    inits = [vars(base)["__init__"] for base in cls.__mro__ if base is not object and "__init__" in vars(base)]
    return [function for function in inits if inspect.isfunction(function)]


def _words(hint: Any) -> Iterator[str]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        yield from map(str, arguments)
    elif origin in (Union, types.UnionType):
        for item in arguments:
            yield from _words(item)
    elif origin is Callable:
        yield f"a class derived from {getattr(arguments[-1], '__name__', arguments[-1])}" if arguments else "a function"
    elif hint in WORDS:
        yield WORDS[hint]
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield "a list"
    else:
        cls = origin or hint
        unknown = cls is Any or isinstance(cls, ForwardRef)
        yield "any value" if unknown else f"a {getattr(cls, '__name__', cls)}"


def class_page(verb: str, option: str, name: str) -> str:
    """The help page of a class."""
    group = option.lstrip("-")
    if last_part(option) not in OPTIONS and group not in GROUPS:
        usage_error(f"{option}.help: no option that takes a class; such are {', '.join([*OPTIONS, *GROUPS])}")
    cls = GROUPS.get(group) or (find_class(option, name) if name else None)
    if cls is None:
        usage_error(f"{option}.help: found '{name}'; {known_names(option)}")
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
    bases = [base for base in inspect.getmro(cls)[1:] if "__init__" in vars(base)] if isinstance(cls, type) else []
    inherited = {name for base in bases for name in parameters(base)}

    def place(name: str) -> tuple[bool, bool, bool]:
        return given[name].default is not inspect.Parameter.empty, name in inherited, name in OPTIONS

    lines: list[str] = []
    for name in sorted(given, key=place):
        item, text = given[name], texts.get(name, "")
        default = "required" if item.default is item.empty else f"default: {_shown(item.default)}"
        lines.append(f"  {option}.{name}: {describe_type(item.annotation)} ({default})")
        if name in OPTIONS:
            text = f"{text} {known_names(name)[0].upper()}{known_names(name)[1:]}."
        lines += textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


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
    return json.dumps(value) if isinstance(value, bool | None) or value == () else str(value)
