"""The command line: ``genre VERB …``. Importing this module is cheap: a verb imports what it needs when it runs."""

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from docstring_parser import google

from genre import __version__
from genre.cli.completion import PrintCompletion
from genre.cli.help_page import FIT_VERBS, print_help
from genre.cli.options import did_you_mean, import_modules, usage_error
from genre.cli.verbs import VERBS
from genre.environment import prepare_torch
from genre.errors import GenreError

#: The parameter of a verb that takes options of ``genre fit``, and the one that takes the modules of ``--import``.
FIT_OPTIONS, MODULES = "fit_options", "import_"

#: The verbs without ``--import``: they read no class.
WITHOUT_IMPORT = ("compare", "audit", "download", "recipes")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line.

    The exit status is 1 for an error in data, files or values, a bad file or a failed cell; 2 for a bad command; 130
    after Ctrl-C; 141 if the reader of the output has ended.
    """
    prepare_torch()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        sys.exit(_run(arguments))
    except GenreError as error:
        sys.exit(f"genre: error: {error}")
    except KeyboardInterrupt:
        print("genre: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `genre predict … | head`
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:  # a full disk, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(f"genre: error: {place}{error.strerror or error}")


def _run(arguments: list[str]) -> int | None:
    """Runs a verb; returns the exit status, ``None`` for 0."""
    verb = arguments[0] if arguments else "--help"
    if verb in FIT_VERBS:
        if not print_help(verb, arguments[1:]):
            from genre.cli.lightning_cli import run

            run(verb, arguments[1:])
        return None
    parser = build_parser()
    if not verb.startswith("-") and verb not in VERBS:
        parser.error(f"no verb named {verb}{did_you_mean(verb, [*FIT_VERBS, *VERBS])}; see genre --help")
    namespace, rest = parser.parse_known_args(arguments or ["--help"])
    function, options = VERBS[verb], vars(namespace)
    parameters = inspect.signature(function).parameters
    if FIT_OPTIONS in parameters:
        options[FIT_OPTIONS] = rest
    elif rest:
        known = [*parameters] if verb in WITHOUT_IMPORT else [*parameters, MODULES]
        hint = did_you_mean(rest[0].partition("=")[0], [_flag(name) for name in known])
        usage_error(f"unrecognized arguments: {' '.join(rest)}{hint}", f"genre {verb}")
    import_modules(options.get(MODULES, ()))
    return function(**{name: value for name, value in options.items() if name in parameters})


class Parser(argparse.ArgumentParser):
    """A parser that prints an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Exits with status 2."""
        usage_error(message, self.prog)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs: their options come from the signatures of :data:`~genre.cli.verbs.VERBS`."""
    parser = Parser(
        prog="genre",
        description="Music genre classification that people can believe.",
        epilog="`genre VERB --help` lists the options of a verb.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"genre {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB [OPTION]", required=True)
    fit_verbs = [verbs.add_parser(verb, help=purpose, add_help=False) for verb, purpose in FIT_VERBS.items()]
    parser.add_argument(
        "--print_completion",
        action=PrintCompletion,
        const=fit_verbs,
        choices=("bash", "zsh", "tcsh"),
        default=argparse.SUPPRESS,
        help="print a script that completes this command line",
    )
    for verb, function in VERBS.items():
        purpose = google.parse(inspect.getdoc(function)).short_description
        parameters = inspect.signature(function).parameters
        note = "Any option of `genre fit` may follow." if FIT_OPTIONS in parameters else None
        options = verbs.add_parser(
            verb,
            help=purpose,
            description=purpose,
            epilog=note,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,  # the defaults are those of the function
        )
        _add_arguments(options, function)
        if verb not in WITHOUT_IMPORT:
            help_text = "import a module of your own first, with classes of the checkpoint or the recipe"
            options.add_argument("--import", dest=MODULES, action="append", metavar="MODULE", help=help_text)
    return parser


def _add_arguments(parser: argparse.ArgumentParser, function: Callable[..., int | None]) -> None:
    hints = get_type_hints(function, include_extras=True)
    entries = {entry.arg_name: entry for entry in google.parse(inspect.getdoc(function)).params}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in (FIT_OPTIONS, MODULES):
            continue
        metavar, text = entries[name].type_name, entries[name].description or ""  # of `name (METAVAR): description`
        options = _read_type(hints[name]) | {"help": " ".join(text.split())} | ({"metavar": metavar} if metavar else {})
        default = parameter.default
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            if default == ():
                options["nargs"] = "*"
            elif default is not parameter.empty:
                options |= {"nargs": "?", "default": default}
            parser.add_argument(name, **options)
            continue
        if default not in (parameter.empty, None, False, ()):
            options["help"] += f" (default: {default})"
        parser.add_argument(_flag(name), dest=name, required=default is parameter.empty, **options)


def _read_type(hint: Any) -> dict[str, Any]:
    """The arguments of ``add_argument`` that read values of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        item, extra = arguments
        return {"type": extra} if callable(extra) else _read_type(item) | {"nargs": None, "action": extra}
    if origin in (Union, UnionType):
        return _read_type(next(argument for argument in arguments if argument is not NoneType))
    if origin is Literal:
        return {"choices": arguments}
    if hint is bool:
        return {"action": "store_true"}
    return _read_type(arguments[0]) | {"nargs": "+"} if arguments else {"type": hint}


def _flag(name: str) -> str:
    return f"--{name.rstrip('_')}"
