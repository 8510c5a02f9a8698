"""The command line: ``genre VERB …``. Importing this is cheap; a verb imports what it needs when it runs."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from genre._version import __version__
from genre.errors import GenreError

FIT_VERBS = {
    "fit": "train a classifier, test its best checkpoint, and write a report",
    "validate": "score a checkpoint on the validation tracks",
    "test": "score a checkpoint on the test tracks, and write a report",
}
PREDICT = "name the genre of audio files with a checkpoint"


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; exits with status 1 for bad data and 2 for a bad command."""
    # Read when torch is imported. Beside other programs, threads that wait by spinning make a step many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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


def _run(arguments: list[str]) -> int:
    parser = _parser()
    if arguments and arguments[0] in FIT_VERBS:
        from genre.lightning_cli import run

        run(arguments)
        return 0
    options = parser.parse_args(arguments or ["--help"])
    from genre.predict import predict

    return predict(options.ckpt_path, options.paths, options.format, options.segments, options.modules)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="genre",
        description="Music genre classification that people can believe.",
        epilog="`genre VERB --help` lists the options of a verb.",
    )
    parser.add_argument("--version", action="version", version=f"genre {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, purpose in FIT_VERBS.items():
        verbs.add_parser(verb, help=purpose, add_help=False)
    predict = verbs.add_parser("predict", help=PREDICT, description=PREDICT)
    predict.add_argument("--ckpt_path", type=Path, required=True, metavar="CKPT", help="the checkpoint of a fit")
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="audio files, or folders of them")
    predict.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        default="table",
        help="how to print; json is one object a line (default: %(default)s)",
    )
    predict.add_argument(
        "--segments",
        type=_positive,
        metavar="N",
        help="the largest number of segments that a file is judged by",
    )
    predict.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that the checkpoint's network comes from",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {text}")
    return number
