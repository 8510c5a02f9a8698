"""What was warned of before an audit's long listening, to be said again at its end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keep_warnings(name: str) -> Iterator[list[str]]:
    """Collects what a logger, with those below it, warns of meanwhile, beside showing it."""
    keeper = _Keeper(logging.WARNING)
    logger = logging.getLogger(name)
    logger.addHandler(keeper)
    try:
        yield keeper.messages
    finally:
        logger.removeHandler(keeper)


class _Keeper(logging.Handler):
    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
