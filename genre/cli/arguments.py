"""The arguments and configuration files of ``genre fit``, ``validate`` and ``test``, before they are parsed."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonargparse
import yaml

from genre.checkpoint import read_checkpoint
from genre.cli.classes import LISTS, OPTIONS, last_part, own_path
from genre.cli.options import import_modules, usage_error
from genre.cli.run_folder import KEYWORDS, dump, folder_of
from genre.errors import GenreError
from genre.models.musicnn_weights import FILES, is_installed
from genre.recipes import find_recipe, read_yaml, recipes_folder

#: The options whose values are always text, even where YAML reads a number, as in ``name: 1e3``.
TEXT_OPTIONS = ("name", "runs_dir")

#: The recipe if the weights of MusiCNN are installed, and the one if they are not.
PRETRAINED, SMALL = "transfer/musicnn_probe.yaml", "quickstart.yaml"

#: The options that name a data set, themselves or in a file.
DATA_OPTIONS = ("--data", "--data.class_path", "--config", "-c")

#: The data arguments that every data set needs beside its root, for a network that is given without them.
DATA = {
    "features": ["--data.features=genre.audio.MelSpectrogram"],
    "split": ["--data.split=genre.data.StratifiedSplit", "--data.split.by_artist=true"],
}

_jsonargparse_load = jsonargparse.get_loader("yaml")


def prepare(verb: str, arguments: Sequence[str]) -> list[str]:
    """Imports the modules of ``--import``; adds the checkpoint's configuration, full class names and lists' brackets.

    Raises:
        GenreError: A module or a checkpoint cannot be read.
        SystemExit: A configuration file is missing, is no text, or has no ``key: value`` lines; stderr has one line.
    """
    pairs = list(split(arguments))
    import_modules([str(value) for name, value in pairs if name == "--import"])
    pairs = with_own_config(verb, [pair for pair in pairs if pair[0] != "--import"])
    try:
        pairs = [(name, recipe_path(name, value)) for name, value in pairs]
        for name, value in pairs:
            if _is_readable_config(name, value):
                read_yaml(Path(str(value)))
    except GenreError as error:
        usage_error(str(error))
    return [name if value is None else f"{name}={value}" for name, value in _with_classes(pairs)]


def split(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The options and their values, given as ``--name value`` or ``--name=value``; ``None`` for a flag."""
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        name = "--config" if name == "-c" else name
        if equals or not name.startswith("-"):
            yield name, value if equals else None
        else:
            has_value = bool(rest) and (not rest[0].startswith("--"))
            yield name, rest.pop(0) if has_value else None


def with_own_config(verb: str, pairs: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Adds the configuration and the name of the checkpoint's run, unless a configuration is given.

    If a configuration is given, ``--ckpt_path`` moves behind it: a run's own configuration sets ``ckpt_path: null``.

    Raises:
        GenreError: The file is no checkpoint. Without this check, the parser would report missing options instead.
    """
    checkpoint = next((value for name, value in reversed(pairs) if name == "--ckpt_path"), None)
    if checkpoint is None or checkpoint in KEYWORDS:
        return pairs
    if any(name == "--config" for name, _ in pairs):
        return [*pairs, ("--ckpt_path", checkpoint)]
    folder = folder_of(checkpoint)
    if folder is None:
        read_checkpoint(checkpoint)
        return pairs
    # The run may have been moved or renamed since its configuration was written.
    name = [("--name", folder.parent.name)] if verb == "fit" else []
    return [("--config", str(folder / "config.yaml")), *name, *pairs]


def use_own_yaml() -> None:
    """Makes jsonargparse read and write YAML with :func:`load_yaml` and :func:`genre.cli.run_folder.dump`."""
    jsonargparse.set_loader("yaml", load_yaml, (yaml.YAMLError,))
    jsonargparse.set_dumper("yaml", dump)


def load_yaml(text: str) -> Any:
    """Reads YAML as jsonargparse does, but keeps names as text and completes the names of this library's classes."""
    content = _jsonargparse_load(text)
    if isinstance(content, dict):
        written = yaml.compose(text, Loader=yaml.SafeLoader)
        for key, value in written.value if isinstance(written, yaml.MappingNode) else ():
            if key.value in TEXT_OPTIONS and isinstance(value, yaml.ScalarNode) and content.get(key.value) is not None:
                content[key.value] = value.value
    return _qualified(content)


def recipe_path(name: str, value: str | None) -> str | None:
    """Replaces the name of a recipe by its path, also where it takes the place of a class."""
    if value is not None and (name == "--config" or (last_part(name) in OPTIONS and value.endswith(".yaml"))):
        return str(find_recipe(value))
    if value is not None and last_part(name) in OPTIONS and re.fullmatch(r"[\w./-]+/[\w./-]+", value):
        with suppress(GenreError):
            return str(find_recipe(value))
    return value


def _with_classes(pairs: Sequence[tuple[str, str | None]]) -> Iterator[tuple[str, str | None]]:
    """Completes the options with full class names, brackets of lists, and the class of a bare optimizer's arguments."""
    optimizer = any(name == "model.optimizer" and value for name, value in flat_options(pairs))
    for name, value in pairs:
        if name.startswith("--model.optimizer.") and not optimizer:
            optimizer = True
            yield "--model.optimizer", "torch.optim.AdamW"  # the classifier's default
        if value is not None and last_part(name) in OPTIONS:
            value = _own_list(name, value) if value.startswith("[") else own_path(name, value)
            if last_part(name) in LISTS and not name.endswith("+") and value[:1] != "[" and value != "null":
                value = f"[{value}]"
        yield name, value


def _own_list(option: str, value: str) -> str:
    """Completes the short names in a list of classes, such as ``[SpecAugment]``; leaves text that is no YAML."""
    try:
        content = _qualified(_jsonargparse_load(value), last_part(option))
    except yaml.YAMLError:
        return value
    return str(yaml.safe_dump(content, default_flow_style=True, width=math.inf, allow_unicode=True)).strip()


def _qualified(content: Any, key: str = "") -> Any:
    """Replaces the short names of this library's classes by their full names, and a single item of a list by a list."""
    if isinstance(content, list):
        return [_qualified(item, key) for item in content]
    if isinstance(content, dict):
        result: dict[Any, Any] = {}
        for name, value in content.items():
            is_item = name in LISTS and not isinstance(value, list | None)
            result[name] = _qualified([value] if is_item else value, str(name))
        for option in OPTIONS if isinstance(result.get("class_path"), str) else ():
            result["class_path"] = own_path(option, result["class_path"])
        return result
    return own_path(key, content) if isinstance(content, str) and key in OPTIONS else content


def with_defaults(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Completes the options of a fit that name a data set and its root, and leave out what else it takes.

    Returns:
        The options, and a line that says what was added; ``None`` if nothing was.
    """
    try:
        given = set(_given(arguments))
    except GenreError:  # the parser reports a configuration file that cannot be read
        return list(arguments), None
    if not {"data", "data.root"} <= given or given & {"model", "model.pretrained", "ckpt_path"}:
        return list(arguments), None
    if "model.network" not in given:
        if "data.features" in given:
            name, reason = SMALL, "a small network from scratch, which takes any features"
        elif all(map(is_installed, FILES)):
            name, reason = PRETRAINED, "a new head on MusiCNN, whose weights are installed"
        else:
            name, reason = SMALL, "a small network from scratch, as the weights of MusiCNN are not installed"
        recipe = recipes_folder() / name
        return [f"--config={recipe}", *arguments], f"no recipe given: {reason}: {recipe}"  # what is given overrides it
    absent = [name for name in DATA if f"data.{name}" not in given]
    if not absent:
        return list(arguments), None
    added = [option for name in absent for option in DATA[name]]
    places = [index for index, argument in enumerate(arguments) if argument.partition("=")[0] in DATA_OPTIONS]
    place = places[-1] + (1 if "=" in arguments[places[-1]] else 2)  # the parser wants a class before its arguments
    line = f"no {' and no '.join(absent)} given: {' '.join(added).replace('=', ' ')}"
    return [*arguments[:place], *added, *arguments[place:]], line


def _given(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the names of the options, and those that configuration files set."""
    for name, value in flat_options((name, recipe_path(name, value)) for name, value in split(arguments)):
        names = [name]
        if name == "data" and isinstance(value, str) and Path(value).is_file():
            names += [option for option, _ in _flatten(read_yaml(Path(value)), "data")]
        yield from (option.removesuffix(".class_path").replace(".init_args.", ".") for option in names)


def flat_options(pairs: Iterable[tuple[str, str | None]]) -> Iterator[tuple[str, Any]]:
    """Yields the options and their values; a configuration file's options take the place of ``--config``."""
    for name, value in pairs:
        if _is_readable_config(name, value):
            path = Path(str(value))
            with suppress(GenreError):
                for option, item in _flatten(read_yaml(path)):
                    # A file that takes the place of a class is named relative to the configuration.
                    is_file = last_part(option) in OPTIONS and isinstance(item, str) and (path.parent / item).is_file()
                    yield option, str(path.parent / item) if is_file else item
        elif name.startswith("--"):
            yield name.removeprefix("--").rstrip("+").replace(".init_args.", "."), "true" if value is None else value


def _is_readable_config(name: str, value: str | None) -> bool:
    """Whether an option names a configuration file that is no pipe: a pipe can be read only once."""
    return name == "--config" and value is not None and not Path(value).is_fifo()


def _flatten(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields a configuration as options: ``{"data": {"class_path": "Folder"}}`` → ``("data", "Folder")``."""
    if isinstance(content, dict) and "class_path" in content:
        yield prefix, content["class_path"]
        yield from _flatten({**(content.get("init_args") or {}), **(content.get("dict_kwargs") or {})}, prefix)
    elif isinstance(content, dict) and content:
        for name, value in content.items():
            yield from _flatten(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(content, list) and any(isinstance(item, dict) for item in content):
        for item in content:
            yield from _flatten(item, prefix)
    else:
        yield prefix, content
