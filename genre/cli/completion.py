"""Shell completion: ``genre --print_completion bash`` prints a script for the shell."""

import argparse
from collections.abc import Iterator
from typing import Any

from genre.errors import GenreError


class PrintCompletion(argparse.Action):
    """Prints a script for the shell and exits: ``genre --print_completion bash``.

    Its ``const`` holds the parsers of the verbs that get the options of ``genre fit``.
    """

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Prints the script for the given shell."""
        try:
            import shtab
        except ImportError:
            raise GenreError(
                "--print_completion needs shtab; install it with pip install 'lightning-genre[completion]'"
            ) from None
        completers = {"file": shtab.FILE, "folder": shtab.DIRECTORY}
        for verb in self.const:
            for name, choices, path_type in _options():
                action = verb.add_argument(name, choices=choices)
                if path_type in completers:
                    action.complete = completers[path_type]  # shtab reads it
        print(shtab.complete(parser, shell=given[1]))
        parser.exit()


def _options() -> Iterator[tuple[str, list[str] | None, str]]:
    """Yields the options of ``genre fit``: name, classes that it takes, and ``file``, ``folder`` or an empty string."""
    from genre.cli.classes import GROUPS, OPTIONS, class_paths, find_class, parameters
    from genre.data import GenreDataModule

    yield from (("--config", None, "file"), ("--ckpt_path", None, "file"), ("--runs_dir", None, "folder"))
    yield from ((name, None, "") for name in ("--name", "--seed_everything", "--import", "--help", "--help-all"))
    yield "--data", list(class_paths("data")), ""
    for group, cls in {"data": GenreDataModule, **GROUPS}.items():
        for name in parameters(cls):
            option = f"--{group}.{name}"
            path_type = {"root": "folder", "exclude": "file", "pretrained": "file"}.get(name, "")
            yield option, list(class_paths(name)) if name in OPTIONS else None, path_type
            if name in ("network", "features", "split"):
                classes = [find_class(name, short) for short in class_paths(name)]
                for argument in dict.fromkeys(argument for cls in classes for argument in parameters(cls)):
                    yield f"{option}.{argument}", None, ""
