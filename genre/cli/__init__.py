"""The command line: ``genre VERB …``."""

from genre.cli.main import main

__all__ = ["main"]
