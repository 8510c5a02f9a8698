"""The recipes that come with the library: configuration files, plans of benchmarks, and scripts.

:func:`read_yaml` reads those of users, too.
"""

import ast
import re
import shutil
from difflib import get_close_matches
from importlib import resources
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Any

import yaml

from genre.errors import GenreError, one_line


def recipes_folder() -> Path:
    """The folder of the recipes: ``genre/examples`` in an installed wheel, ``examples`` in a checkout."""
    packaged = Path(str(resources.files("genre") / "examples"))
    return packaged if packaged.is_dir() else packaged.parents[1] / "examples"


def list_recipes() -> dict[str, Path]:
    """The files by their names, such as ``transfer/musicnn_probe.yaml``."""
    folder = recipes_folder()
    files = sorted(path for suffix in ("yaml", "py") for path in folder.rglob(f"*.{suffix}"))
    return {path.relative_to(folder).as_posix(): path for path in sorted(files, key=lambda path: len(path.parts))}


def find_recipe(name: str | Path, folder: Path = Path()) -> Path:
    """The file of a recipe: one of the user's own or, if there is none, one of the library.

    Args:
        name: A path, or a name as in :func:`list_recipes`; ``.yaml`` may be left out, and ``examples/`` may stand in
            front of it, as in a checkout.
        folder: The folder that a path is relative to.

    Raises:
        GenreError: There is no such file; the message suggests the recipe with the nearest name.
    """
    own = folder / name
    for path in (own, own.with_name(f"{own.name}.yaml") if own.name else own):
        if path.exists() and not path.is_dir():
            return path
    recipes, short = list_recipes(), PurePath(name).as_posix().removeprefix("examples/")
    recipe = recipes.get(short) or recipes.get(f"{short}.yaml") or (own if own.is_dir() else None)
    if recipe is None:
        raise GenreError(f"{own}: no such file, and no recipe of `genre recipes` has this name; {advice(name)}")
    return recipe


def advice(name: str | Path) -> str:
    """Advice on a name that is not found: the recipe whose name or, failing that, whose last part is nearest."""
    names = [recipe.removesuffix(".yaml") for recipe in list_recipes()]
    wanted = PurePath(name).as_posix().removesuffix(".yaml").removeprefix("examples/")
    last = {PurePath(recipe).name: recipe for recipe in reversed(names)}
    close = get_close_matches(wanted, names, n=1, cutoff=0.8) or get_close_matches(PurePath(wanted).name, last, n=1)
    return f"did you mean {last.get(close[0], close[0])}?" if close else "check the name"


def describe_recipe(path: Path) -> str:
    """The first sentence of a recipe's comment, or the first line of a script's docstring or of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    lines = list(takewhile(lambda line: line.startswith("#"), text.splitlines())) or [text.partition("\n")[0]]
    comment = " ".join(line.lstrip("# ") for line in lines)
    return re.split(r"(?<=\.) (?=[A-Z])|:? (?=genre [a-z]+ )", comment)[0]


def copy_recipes(folder: Path) -> tuple[int, list[Path]]:
    """Copies the recipes into a folder; a file that is there already is kept.

    Returns:
        The number of copied files, and the kept files that differ from the recipes.
    """
    copied, differing = 0, []
    for name, path in list_recipes().items():
        place = folder / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            copied += 1
        elif not place.is_file() or place.read_bytes() != path.read_bytes():
            differing.append(place)
    return copied, differing


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GenreError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = one_line(error).replace('in "<unicode string>", ', "in ")
        raise GenreError(f"{path}: not a YAML file ({said[:160]})") from None
    if not isinstance(content, dict):
        raise GenreError(f"{path}: found no keys; expected `key: value` lines")
    return content
