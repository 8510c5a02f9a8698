"""The console that all output goes to."""

from rich.console import Console


def terminal() -> Console:
    """A console without markup and emoji: names of paths and genres may contain ``[live]`` or ``:a:``."""
    return Console(markup=False, emoji=False)
