"""Names in configurations are text, also where YAML takes them for something else, such as ``name: 1e3``."""

from typing import Any

import jsonargparse
import yaml

#: The options whose values are names.
NAMES = ("name", "runs_dir")

_load = jsonargparse.get_loader("yaml")


def load(text: str) -> Any:
    """Reads YAML as the parser does, and the names in it as they are written.

    Args:
        text: A configuration file's, or an option's value.
    """
    content = _load(text)
    if isinstance(content, dict):
        written = yaml.compose(text, Loader=yaml.SafeLoader)
        for key, value in written.value if isinstance(written, yaml.MappingNode) else ():
            if key.value in NAMES and isinstance(value, yaml.ScalarNode) and content.get(key.value) is not None:
                content[key.value] = value.value
    return content


def keep_names() -> None:
    """Makes jsonargparse read configurations in this way."""
    jsonargparse.set_loader("yaml", load, (yaml.YAMLError,))
