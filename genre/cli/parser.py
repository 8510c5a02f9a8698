"""The parser of ``genre fit``, ``validate`` and ``test``: a mistake in one line, and help that can be read."""

import argparse
import re
import sys
from itertools import chain
from typing import Any, NoReturn

from jsonargparse import DefaultHelpFormatter
from pytorch_lightning.cli import LightningArgumentParser

from genre.cli.error_messages import one_line, with_hint
from genre.cli.known_classes import FOREIGN_LOGGERS, KNOWN

#: The end of every verb's help.
EPILOG = "The arguments of a class are listed by .help: --data.help Folder, --model.network.help ResNet18."


class GenreHelp(DefaultHelpFormatter):
    """Help that lists the classes of this library in place of every class that happens to be imported."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = str(super()._get_help_string(action))
        known = KNOWN.get(action.dest.rpartition(".")[2])
        if known is None:
            return text
        shown = f", known: {', '.join(known)}, or the full path of a class of your own"
        return re.sub(r", known subclasses: [\w., ]+", shown, text)


class GenreParser(LightningArgumentParser):
    """A parser that states a mistake in one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"prog": "genre", "formatter_class": GenreHelp}
        super().__init__(*args, **(defaults | kwargs))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exits with status 2."""
        message = with_hint(message, self._names())
        if not self.exit_on_error:  # the parser of a class: that of the verb knows where in the options it stands
            raise argparse.ArgumentError(None, message) from ex
        print(f"genre: error: {_foreign_logger(message) or one_line(message, KNOWN)}", file=sys.stderr)
        sys.exit(2)

    def _names(self) -> list[str]:
        """The options of this parser and of its verbs."""
        verbs = [action.choices.values() for action in self._actions if isinstance(action.choices, dict)]
        return [name for parser in (self, *chain(*verbs)) for name in parser._option_string_actions]


def _foreign_logger(message: str) -> str | None:
    """What to say of a logger that is none of the kind that the Trainer takes."""
    for name, package in FOREIGN_LOGGERS.items():
        if "trainer.logger" in message and re.search(rf"\b{name}\b", message):
            return (
                f"trainer.logger: {name}, also with the package {package} installed, is no Logger of "
                f"pytorch_lightning, which the Trainer takes; choose {', '.join(map(_short, KNOWN['logger']))}"
            )
    return None


def _short(path: str) -> str:
    return path.rpartition(".")[2]
