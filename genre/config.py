"""Configuration as plain data: the class and arguments of a module, and the module built from them."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from torch import nn

from genre import __version__
from genre.errors import GenreError, UnknownClassError, one_line

Config: TypeAlias = dict[str, Any]

#: The packages of this library whose classes a config can name. Loading never imports the command line.
HOMES = ("genre.models", "genre.audio", "genre.data")

#: Python's name for the module of the running script or notebook.
MAIN = "__main__"


def to_config(module: nn.Module) -> Config:
    """The class path and arguments of a module that keeps each argument as an attribute of the same name.

    Raises:
        GenreError: An argument is not kept, or is not plain data.
    """
    cls = type(module)
    names = inspect.signature(cls).parameters
    absent = [name for name in names if not hasattr(module, name)]
    if absent:
        raise GenreError(f"{cls.__name__} must keep its argument '{absent[0]}' as the attribute self.{absent[0]}")
    return _config(cls, {name: getattr(module, name) for name in names})


def factory_config(factory: Callable[..., nn.Module]) -> Config | None:
    """The class path and arguments of a class or a ``functools.partial`` of one; ``None`` for other factories."""
    cls = factory_class(factory)
    arguments = dict(factory.keywords) if isinstance(factory, functools.partial) else {}
    return _config(cls, arguments) if isinstance(cls, type) else None


def factory_class(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The class inside a ``functools.partial``, or the factory itself.

    jsonargparse passes a ``Callable`` argument as a partial of an instantiator, with the class among its positional
    arguments. It has no public way to get the class, so this function relies on that: ``tests/test_config.py`` checks
    it, and pyproject.toml bounds the version.
    """
    if not isinstance(factory, functools.partial):
        return factory
    return next((argument for argument in factory.args if isinstance(argument, type)), factory.func)


def from_config(config: Config, base: type[nn.Module], *args: object) -> nn.Module:
    """Builds the module that a config describes; ``args`` come before its own arguments; see :func:`factory`."""
    make = factory(config, base)
    try:
        return make(*args)
    except GenreError:
        raise
    except Exception as error:  # an argument of another type or size can raise anything
        path, reason = config["class_path"], one_line(error)[:160]
        raise GenreError(f"the checkpoint's arguments do not fit this version of {path}: {reason}") from error


def factory(config: Config, base: type[nn.Module]) -> functools.partial[nn.Module]:
    """The class that a config names, a subclass of ``base``, with its arguments.

    Looks up only public classes of this package (a checkpoint of an earlier version may name another file of it) and
    classes of modules that the program has already imported: a checkpoint never causes other code to be imported.

    Raises:
        UnknownClassError: The class is unknown, not imported or no subclass of ``base``.
    """
    path = str(config.get("class_path"))
    module_name, _, class_name = path.rpartition(".")
    source: ModuleType | None
    home = _public_home(module_name)
    if home in HOMES:
        source = importlib.import_module(home)
        cls = getattr(source, class_name, None)  # the package imports its classes when they are asked for
        if cls is None and module_name in sys.modules:  # a class that the package does not list
            cls = vars(sys.modules[module_name]).get(class_name)
    else:
        source = sys.modules.get(MAIN if module_name == _main_name() else module_name)
        cls = None if source is None or _is_ours(module_name) else vars(source).get(class_name)  # getattr could import
    if cls is None and (module_name == MAIN or "<locals>" in path):
        raise UnknownClassError(
            f"the checkpoint needs the class {path}, which a notebook or a function has defined; define it again, pass "
            "network= to genre.load, or train with a class that stands in a module"
        )
    if cls is None and _is_ours(module_name) and (source is None or home in HOMES):
        raise UnknownClassError(
            f"the checkpoint needs the class {path}, which genre {__version__} does not have; install the version that "
            "it was trained with"
        )
    if source is None:
        raise UnknownClassError(
            f"the checkpoint needs the class {path}, and loading imports nothing by itself; if you trust "
            f"'{module_name}', import it first (genre predict --import {module_name}, in the folder where it lies or "
            "with that folder on PYTHONPATH)"
        )
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise UnknownClassError(
            f"the checkpoint names {path} where a {base.__name__} class of this program is expected; import the module "
            f"that it was trained with, this '{module_name}' is {getattr(source, '__file__', None) or 'built in'}"
        )
    return functools.partial(cls, **config["init_args"])


def without_weights(config: Config) -> Config:
    """The same config with ``pretrained`` set to false, if the class has this argument."""
    if "pretrained" not in inspect.signature(factory(config, nn.Module).func).parameters:
        return config
    return {**config, "init_args": config["init_args"] | {"pretrained": False}}


def without(config: Config, *names: str) -> Config:
    """The same config without some of its arguments."""
    arguments = {name: value for name, value in config["init_args"].items() if name not in names}
    return {**config, "init_args": arguments}


def show(config: Config) -> str:
    """The config as Python code."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in config["init_args"].items())
    return f"{config['class_path'].rpartition('.')[2]}({arguments})"


def _config(cls: type, arguments: dict[str, Any]) -> Config:
    for name, value in arguments.items():
        if not _is_plain(value):
            raise GenreError(
                f"{cls.__name__}({name}=…) is a {type(value).__name__}; a checkpoint can carry only numbers, strings, "
                "None, lists and dicts as arguments"
            )
    return {"class_path": f"{_module_name(cls)}.{cls.__qualname__}", "init_args": arguments}


def _module_name(cls: type) -> str:
    """The module of a class; for this library's classes the package, because its files may be renamed."""
    if cls.__module__ == MAIN:
        return _main_name()
    home = _public_home(cls.__module__)
    if _is_ours(home) and getattr(importlib.import_module(home), cls.__qualname__, None) is cls:
        return home
    return cls.__module__


def _public_home(name: str) -> str:
    """``genre.models.bbnn`` → ``genre.models``."""
    return ".".join(name.split(".")[:2])


def _main_name() -> str:
    """The name by which the running script can be imported; ``__main__`` for a notebook."""
    main = sys.modules[MAIN]
    module_spec = getattr(main, "__spec__", None)
    if module_spec is not None:  # python -m
        return str(module_spec.name)
    stem = Path(getattr(main, "__file__", None) or "").stem
    return stem if stem.isidentifier() else MAIN


def _is_ours(name: str) -> bool:
    return name == "genre" or name.startswith("genre.")


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
