"""What ``genre fit`` adds where only the data is given: a recipe or, beside a network, features and a split."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genre.cli.arguments import recipe_path, split
from genre.errors import GenreError
from genre.models.musicnn_weights import FILES, is_installed
from genre.recipes import find_recipe, read_yaml, recipes_folder

#: The recipe if the weights of MusiCNN are installed, and the one if they are not.
PRETRAINED, SMALL = "transfer/musicnn_probe.yaml", "quickstart.yaml"

#: The options that name a data set, themselves or in a file.
CLASSES = ("--data", "--data.class_path", "--config", "-c")

#: The data arguments that every data set needs beside its root, for a network that is given without them.
DATA = {
    "features": ["--data.features=genre.audio.MelSpectrogram"],
    "split": ["--data.split=genre.data.StratifiedSplit", "--data.split.by_artist=true"],
}


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
        return _with_recipe(arguments, has_features="data.features" in given)
    absent = [name for name in DATA if f"data.{name}" not in given]
    if not absent:
        return list(arguments), None
    added = [option for name in absent for option in DATA[name]]
    places = [index for index, argument in enumerate(arguments) if argument.partition("=")[0] in CLASSES]
    place = places[-1] + (1 if "=" in arguments[places[-1]] else 2)  # the parser wants a class before its arguments
    line = f"no {' and no '.join(absent)} given: {' '.join(added).replace('=', ' ')}"
    return [*arguments[:place], *added, *arguments[place:]], line


def _with_recipe(arguments: Sequence[str], *, has_features: bool) -> tuple[list[str], str]:
    """Puts a recipe before the options, which override it."""
    if has_features:
        name, reason = SMALL, "a small network from scratch, which takes any features"
    elif all(map(is_installed, FILES)):
        name, reason = PRETRAINED, "a new head on MusiCNN, whose weights are installed"
    else:
        name, reason = SMALL, "a small network from scratch, as the weights of MusiCNN are not installed"
    recipe = recipes_folder() / name
    return [f"--config={recipe}", *arguments], f"no recipe given: {reason}: {recipe}"


def _given(arguments: Sequence[str]) -> Iterator[str]:
    """Yields the names of the options, and those that configuration files set, down to arguments of the data."""
    for name, value in split(arguments):
        option = name.removeprefix("--").rstrip("+").replace(".init_args.", ".").removesuffix(".class_path")
        yield option
        if option == "data" and value is not None:
            yield from _names("data", recipe_path(name, value), Path())
        elif name == "--config" and value is not None:
            path = find_recipe(value)
            content = {} if path.is_fifo() else read_yaml(path)  # a pipe can be read only once
            for group in content.keys() & {"model", "data"}:
                yield from _names(group, content[group], path.parent)


def _names(group: str, part: Any, folder: Path) -> Iterator[str]:
    """Yields what the configuration of the model or of the data sets; it may be a file, relative to ``folder``."""
    if isinstance(part, str):
        yield group
        part = read_yaml(folder / part) if (folder / part).is_file() else None
    elif group == "data":
        yield group
    if isinstance(part, dict):
        names = (part.get("init_args") or {}) if group == "data" else part
        yield from (f"{group}.{name}" for name in names)
