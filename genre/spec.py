"""Configuration as plain data: how a checkpoint names a class and its arguments, and builds it again."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from torch import nn

from genre._version import __version__
from genre.errors import GenreError

Spec: TypeAlias = dict[str, Any]

#: What Python calls the running script or notebook, whatever its name.
MAIN = "__main__"


def describe(module: nn.Module) -> Spec:
    """The class path and arguments of a module that keeps each argument as an attribute of the same name.

    Raises:
        GenreError: An argument is not kept, or is not plain data.
    """
    kind = type(module)
    names = inspect.signature(kind).parameters
    absent = [name for name in names if not hasattr(module, name)]
    if absent:
        raise GenreError(f"{kind.__name__} must keep its argument '{absent[0]}' as the attribute self.{absent[0]}")
    return _spec(kind, {name: getattr(module, name) for name in names})


def describe_factory(factory: Callable[..., nn.Module]) -> Spec | None:
    """The class path and arguments of a class or of a ``functools.partial`` of one; of anything else ``None``."""
    kind = target(factory)
    arguments = dict(factory.keywords) if isinstance(factory, functools.partial) else {}
    return _spec(kind, arguments) if isinstance(kind, type) else None


def target(factory: Callable[..., Any]) -> Callable[..., Any]:
    """What a factory calls in the end: the class inside a ``functools.partial``, or the factory itself."""
    if not isinstance(factory, functools.partial):
        return factory
    # The command line's partials call an instantiator, with the class among its arguments.
    return next((argument for argument in factory.args if isinstance(argument, type)), factory.func)


def build(spec: Spec, base: type[nn.Module], *args: object) -> nn.Module:
    """Builds what a spec describes; see :func:`factory`.

    Args:
        spec: ``class_path`` and ``init_args``.
        base: What the class must be a subclass of.
        args: Positional arguments that come before the spec's own.

    Raises:
        GenreError: The class is unknown, not allowed, no subclass of ``base``, or does not take the arguments.
    """
    make = factory(spec, base)
    try:
        return make(*args)
    except TypeError as error:
        path = spec["class_path"]
        raise GenreError(f"the checkpoint's arguments do not fit this version of {path}: {error}") from None


def factory(spec: Spec, base: type[nn.Module]) -> functools.partial[nn.Module]:
    """The class that a spec names, with its arguments.

    Only classes of this package, or of modules that the running program has imported itself, are looked up: a
    checkpoint never causes other code to be imported.

    Args:
        spec: ``class_path`` and ``init_args``.
        base: What the class must be a subclass of.

    Raises:
        GenreError: The class is unknown, not allowed or no subclass of ``base``.
    """
    path = str(spec.get("class_path"))
    module_name, _, class_name = path.rpartition(".")
    source = _module(module_name)
    kind = getattr(source, class_name, None)
    if kind is None and (module_name == MAIN or "<locals>" in path):
        raise GenreError(
            f"the checkpoint needs the class {path}, which a notebook or a function has defined; define it again, pass "
            "network= to genre.load, or train with a class that stands in a module"
        )
    if _is_ours(module_name) and kind is None:
        raise GenreError(
            f"the checkpoint needs the class {path}, which genre {__version__} does not have; install the version that "
            "it was trained with"
        )
    if source is None:
        raise GenreError(
            f"the checkpoint needs the class {path}, and loading imports nothing by itself; if you trust "
            f"'{module_name}', import it first (genre predict --import {module_name}, in the folder where it lies or "
            "with that folder on PYTHONPATH)"
        )
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise GenreError(
            f"the checkpoint names {path} where a {base.__name__} class of this program is expected; import the module "
            f"that it was trained with, this '{module_name}' is {getattr(source, '__file__', None) or 'built in'}"
        )
    return functools.partial(kind, **spec["init_args"])


def without_weights(spec: Spec) -> Spec:
    """The same network without pretrained weights, where its class has some to fetch, be it by default.

    Raises:
        GenreError: See :func:`factory`.
    """
    if "pretrained" not in inspect.signature(factory(spec, nn.Module).func).parameters:
        return spec
    return {**spec, "init_args": spec["init_args"] | {"pretrained": False}}


def without(spec: Spec, *names: str) -> Spec:
    """The same without some of its arguments."""
    arguments = {name: value for name, value in spec["init_args"].items() if name not in names}
    return {**spec, "init_args": arguments}


def show(spec: Spec) -> str:
    """As it would be written in Python."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in spec["init_args"].items())
    return f"{spec['class_path'].rpartition('.')[2]}({arguments})"


def _spec(kind: type, arguments: dict[str, Any]) -> Spec:
    for name, value in arguments.items():
        if not _is_plain(value):
            raise GenreError(
                f"{kind.__name__}({name}=…) is a {type(value).__name__}; a checkpoint can carry only numbers, strings, "
                "None, lists and dicts as arguments"
            )
    module_name = _main_name() if kind.__module__ == MAIN else kind.__module__
    return {"class_path": f"{module_name}.{kind.__qualname__}", "init_args": arguments}


def _main_name() -> str:
    """The name by which the running script could be imported; that of a notebook, which cannot be, stays as it is."""
    main = sys.modules[MAIN]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m
        return str(spec.name)
    stem = Path(getattr(main, "__file__", None) or "").stem
    return stem if stem.isidentifier() else MAIN


def _module(name: str) -> ModuleType | None:
    """A module of this package, the running script under its own name, or what the program has imported."""
    if _is_ours(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            return None
    return sys.modules.get(MAIN if name == _main_name() else name)


def _is_ours(name: str) -> bool:
    return name == "genre" or name.startswith("genre.")


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
