"""Messages of the argument parser, cut to the one line that helps."""

import re


def one_line(message: str) -> str:
    """The innermost statement of a nested message of jsonargparse."""
    return " ".join(message.split())
