"""The console that all output goes to."""

from rich.console import Console


def terminal() -> Console:
    """A console without markup and emoji: names of paths and genres may contain ``[live]`` or ``:a:``."""
    return Console(markup=False, emoji=False)


def say(line: str, style: str | None = None) -> None:
    """Prints a line as it is, however long."""
    terminal().print(line, style=style, soft_wrap=True, highlight=False)
