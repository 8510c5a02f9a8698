"""Messages of the argument parser, cut to the one line that helps."""

import re
from collections.abc import Sequence
from difflib import get_close_matches


def one_line(message: str, classes: Sequence[str] = ()) -> str:
    """States a parser's nested, multi-line message in one line.

    Args:
        message: What jsonargparse says.
        classes: The names of classes that may be meant by a misspelt one.
    """
    text = " ".join(message.split())
    key = re.search(r'Parser key "([^"]+)"', text)
    where = f"{key[1]}: " if key else ""
    unknown = re.search(r"Expected a dot import path string: (\S+)", text)
    missing = re.search(r"(?:has no attribute|No module named) .*Got value: (\S+)", text)
    match = unknown or missing
    if match:
        name = match[1]
        close = [guess for guess in get_close_matches(name.rpartition(".")[2], classes, n=1) if guess != name]
        hint = f"did you mean {close[0]}?" if close else "give its full path, such as genre.models.ResNet18"
        return f"{where}no class named {name} fits here; {hint}"
    text = re.sub(r"- Expected a path but \S+ either not accessible or invalid - ", "", text)
    text = re.sub(r'^Parser key "[^"]+": ', where, text)
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    return text if len(text) <= 400 else f"{text[:400]} …"
