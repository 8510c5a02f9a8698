"""Suggestions for misspelt options."""

from collections.abc import Iterable
from difflib import get_close_matches


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
