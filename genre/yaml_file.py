"""Reads YAML files that users write."""

from pathlib import Path
from typing import Any

import yaml

from genre.errors import GenreError


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GenreError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")
        raise GenreError(f"{path}: not a YAML file ({said[:160]})") from None
    if not isinstance(content, dict):
        raise GenreError(f"{path}: found no keys; expected `key: value` lines")
    return content
