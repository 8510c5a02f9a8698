"""The terminal that tables and sentences are printed on."""

from rich.console import Console


def terminal() -> Console:
    """A console that shows ``[live]`` and ``:a:`` as they are: paths and genres may be called anything."""
    return Console(markup=False, emoji=False)
