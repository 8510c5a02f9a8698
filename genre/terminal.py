"""The console that all output goes to, its lines, tables and progress bars."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")


def terminal() -> Console:
    """A console without markup and emoji: names of paths and genres may contain ``[live]`` or ``:a:``."""
    return Console(markup=False, emoji=False)


def say(line: str, style: str | None = None) -> None:
    """Prints a line as it is, however long."""
    terminal().print(line, style=style, soft_wrap=True, highlight=False)


def make_table(*names: str, numbers: Sequence[str] = (), title: str | None = None, lines: bool = False) -> Table:
    """A table with columns of names, which are wrapped anywhere, and then of numbers, which are not.

    ``lines``: whether there is a line between the rows.
    """
    table = Table(title=title, show_lines=lines)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def progress(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yields the items. In a terminal, a bar shows their number and ``description``, such as ``decoding``."""
    console = terminal()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield from bar.track(items, total=total, description=description)
