"""What the options of all verbs share: types, checks, errors, and suggestions. Importing this file is cheap."""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

from genre.errors import GenreError

T = TypeVar("T")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1; found '{text}'")
    return int(text)


def _threshold(text: str) -> float | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, or auto; found '{text}'")
    return value


def _local(text: str) -> Path:
    if re.match(r"\w+://", text):
        raise argparse.ArgumentTypeError(f"addresses are not downloaded; found {text}, expected a file or a folder")
    return Path(text)


# The second part of an annotation tells argparse the conversion, or that the option may be repeated.
PositiveInt = Annotated[int, _positive]
Threshold = Annotated[float | Literal["auto"], _threshold]
LocalPath = Annotated[Path, _local]
Repeated = Annotated[Sequence[T], "append"]


def usage_error(message: str, prog: str = "genre") -> NoReturn:
    """Prints a line about a bad command, and exits with status 2."""
    print(f"{prog}: error: {message}", file=sys.stderr)
    sys.exit(2)


def import_modules(modules: Sequence[str]) -> None:
    """Imports the user's modules, also from the current folder."""
    folder = str(Path.cwd())
    if not {"", folder} & set(sys.path):
        # A console script does not search the current folder. It comes last, so no file hides an installed package.
        sys.path.append(folder)
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise GenreError(f"--import {module}: {error}") from None


def check_folder(folder: Path) -> Path:
    """Returns a folder for results, after a check that it exists or can be made."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if place.is_dir() and os.access(place, os.W_OK):
        return folder
    if place.is_dir():
        reason = f"{place} may not be written"
    else:
        reason = "File exists" if place == folder else f"{place} is a file"
    raise GenreError(f"{folder}: cannot be made ({reason}); choose another --out")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known option that is nearest to a misspelt one; options of the same group come first."""
    known = [option.lstrip("-") for option in known]
    parent, _, last = name.lstrip("-").rpartition(".")
    beside = [option.rpartition(".")[2] for option in known if option.rpartition(".")[0] == parent]
    close = get_close_matches(last, beside, n=1)
    if close:
        return f"{parent}.{close[0]}" if parent else close[0]
    close = get_close_matches(name.lstrip("-"), known, n=1, cutoff=0.85)
    close += [option for option in known if option.rpartition(".")[2] == last]  # without its group: `--max_epochs`
    return close[0] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a misspelt name: the nearest known one, if there is one."""
    close = nearest(name, known)
    return f"; did you mean {'--' * name.startswith('--')}{close}?" if close else ""
