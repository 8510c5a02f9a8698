"""The command line: ``genre VERB …``, and LightningCLI with the folders and the manners of this library."""

from genre.cli.main import main

__all__ = ["main"]
