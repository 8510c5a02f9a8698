"""Writing configurations so that text stays text when they are read again."""

import re
from typing import Any

import jsonargparse
import yaml


class TextSafeDumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Quotes text that looks like a number to the parser, such as ``1e3``, which is none by YAML 1.1."""


TextSafeDumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9._]+[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def dump(content: Any) -> str:
    """A configuration as YAML, in the order of its keys."""
    return str(yaml.dump(content, Dumper=TextSafeDumper, default_flow_style=False, allow_unicode=True, sort_keys=False))


def use_text_safe_dumper() -> None:
    """Makes jsonargparse write configurations in this way."""
    jsonargparse.set_dumper("yaml", dump)
