"""The command line: ``genre VERB …``. Importing this is cheap; a verb imports what it needs when it runs."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from genre._version import __version__
from genre.cli.completion import PrintCompletion
from genre.cli.help_page import print_help
from genre.cli.run_folder import next_version
from genre.cli.spelling import nearest
from genre.environment import prepare_torch
from genre.errors import GenreError

FIT_VERBS = {
    "fit": "train a classifier, test its best checkpoint, report",
    "validate": "score a checkpoint on the validation tracks",
    "test": "score a checkpoint on the test tracks, and write a report",
}
PREDICT = "name the genre of audio files with a checkpoint, or their tags without one"
EMBED = "write the embeddings of audio files, by a checkpoint or a pretrained network"
BENCHMARK = "run a plan of fits, beside the published figures"
COMPARE = "tell whether one run is better than another"
ENSEMBLE = "score the mean of several checkpoints, and write a report"
FIGURES = "draw a data set, or several runs on one sheet"
AUDIT = "look for faults and duplicates before training"


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; exits with status 1 for bad data and 2 for a bad command."""
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


def _run(arguments: list[str]) -> int:
    parser = _parser()
    if arguments and arguments[0] in FIT_VERBS:
        if not print_help(arguments[0], arguments[1:]):
            from genre.cli.lightning_cli import run

            run(arguments[0], arguments[1:])
        return 0
    options, rest = parser.parse_known_args(arguments or ["--help"])
    if rest and not options.takes_fit_options:
        verb: argparse.ArgumentParser = options.parser
        close = nearest(rest[0].partition("=")[0], verb._option_string_actions) if rest[0].startswith("--") else None
        verb.error(f"unrecognized arguments: {' '.join(rest)}{f'; did you mean --{close}?' if close else ''}")
    status: int = options.run(options, rest)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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
        verbs=fit_verbs,
        choices=("bash", "zsh", "tcsh"),
        help="print a script that completes this command line",
    )

    def add(verb: str, purpose: str, run: object, *, takes_fit_options: bool = False) -> argparse.ArgumentParser:
        note = "Any option of `genre fit` may follow." if takes_fit_options else None
        options = verbs.add_parser(verb, help=purpose, description=purpose, epilog=note, allow_abbrev=False)
        options.set_defaults(run=run, takes_fit_options=takes_fit_options, parser=options)
        return options

    _add_predict_options(add("predict", PREDICT, _predict))
    _add_embed_options(add("embed", EMBED, _embed))
    _add_benchmark_options(add("benchmark", BENCHMARK, _benchmark, takes_fit_options=True))
    _add_compare_options(add("compare", COMPARE, _compare))
    _add_ensemble_options(add("ensemble", ENSEMBLE, _ensemble, takes_fit_options=True))
    _add_figures_options(add("figures", FIGURES, _figures, takes_fit_options=True))
    _add_audit_options(add("audit", AUDIT, _audit))
    return parser


def _add_predict_options(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "--ckpt_path",
        type=Path,
        action="append",
        default=[],
        metavar="CKPT",
        help="the checkpoint of a fit; given more than once, the mean of several; without one, the tags that MusiCNN, "
        "a network pretrained on music, gives",
    )
    predict.add_argument("paths", nargs="+", type=_local, metavar="PATH", help="audio files, or folders of them")
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
        help="the largest number of segments that a file is judged by (default: as many as in the fit's validation; "
        "for tags 10)",
    )
    predict.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that the checkpoint's network comes from",
    )


def _predict(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from genre.cli.predict import predict

    return predict(options.ckpt_path, options.paths, options.format, options.segments, options.modules)


def _add_embed_options(embed: argparse.ArgumentParser) -> None:
    embed.add_argument(
        "network",
        metavar="NETWORK",
        help="the checkpoint of a fit, or a pretrained network as CLASS or CLASS:WEIGHTS, such as MusiCNN:mtt",
    )
    embed.add_argument("paths", nargs="+", type=_local, metavar="PATH", help="audio files, or folders of them")
    embed.add_argument(
        "--with",
        dest="others",
        action="append",
        default=[],
        metavar="NETWORK",
        help="another one, whose embeddings stand beside those of the first; may be given more than once",
    )
    embed.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="where they go: FILE.npz (arrays paths and embeddings) or FILE.parquet (columns path and embedding)",
    )
    embed.add_argument(
        "--segments",
        type=_positive,
        metavar="N",
        help="the largest number of segments of a file (default: as many as in the fit's validation, or 10)",
    )
    embed.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that a checkpoint's network comes from",
    )


def _embed(options: argparse.Namespace, rest: Sequence[str]) -> int:
    _free(options.out.parent)
    from genre.cli.embed import embed

    return embed([options.network, *options.others], options.paths, options.out, options.segments, options.modules)


def _add_benchmark_options(benchmark: argparse.ArgumentParser) -> None:
    benchmark.add_argument("plan", type=Path, metavar="PLAN", help="a plan, such as examples/singh/tables.yaml")
    benchmark.add_argument(
        "--epochs",
        type=_positive,
        nargs="+",
        default=[],
        metavar="N",
        help="in place of the recipes' own; several: each",
    )
    benchmark.add_argument("--seeds", type=int, nargs="+", default=[], metavar="N", help="in place of the plan's")
    benchmark.add_argument(
        "--splits", type=Path, nargs="+", default=[], metavar="FILE", help="files with splits, in place of the plan's"
    )
    benchmark.add_argument(
        "--pretrained", metavar="W", help="true, false or a weights file, for every network that takes weights"
    )
    benchmark.add_argument("--resume", action="store_true", help="go on with the last benchmark of this plan")
    benchmark.add_argument("--name", metavar="NAME", help="default: the plan's folder and file")
    benchmark.add_argument(
        "--runs_dir", type=Path, default=Path("runs"), metavar="DIR", help="where it is kept (default: %(default)s)"
    )


def _benchmark(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from genre.benchmark import Options, benchmark

    chosen = Options(
        options.epochs, options.seeds, options.splits, options.pretrained, options.resume, options.name,
        options.runs_dir, rest,
    )  # fmt: skip
    return benchmark(options.plan, chosen)


def _add_compare_options(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("first", type=Path, metavar="RUN", help="a run's folder, such as runs/<name>/version_0")
    compare.add_argument("others", type=Path, nargs="+", metavar="RUN", help="those that are compared with it")


def _compare(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from genre.benchmark.compare import compare_runs

    return compare_runs([options.first, *options.others])


def _add_ensemble_options(ensemble: argparse.ArgumentParser) -> None:
    ensemble.add_argument("checkpoints", type=Path, nargs="+", metavar="CKPT", help="checkpoints of the same split")
    ensemble.add_argument(
        "--out", type=Path, metavar="DIR", help="where the report goes (default: the next runs/ensemble/version_N)"
    )


def _ensemble(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from genre.cli.ensemble import score_ensemble

    return score_ensemble(options.checkpoints, _free(options.out or next_version(Path("runs/ensemble"))), rest)


def _add_figures_options(figures: argparse.ArgumentParser) -> None:
    figures.add_argument(
        "--out", type=Path, default=Path("figures"), metavar="DIR", help="where the pictures go (default: %(default)s)"
    )
    figures.add_argument("--runs", type=Path, nargs="+", default=[], metavar="RUN", help="folders of runs to compare")
    figures.add_argument(
        "--tracks",
        type=_positive,
        default=5,
        metavar="N",
        help="random tracks a genre on the sheets (default: %(default)s)",
    )
    figures.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="what `genre embed` wrote for tracks of the recipe: of the data, their picture alone is drawn",
    )
    figures.add_argument("--track", type=Path, metavar="PATH", help="the file whose inputs are drawn one by one")


def _figures(options: argparse.Namespace, rest: Sequence[str]) -> int:
    if not rest and not options.runs and not options.embeddings:
        print("genre: error: nothing to draw; give --config RECIPE, or --runs RUN …, or both", file=sys.stderr)
        return 2
    if options.embeddings and not rest:
        print("genre: error: --embeddings needs the genres of its tracks; give --config RECIPE, too", file=sys.stderr)
        return 2
    _free(options.out)
    from genre.cli.recipe import read_data
    from genre.plots.figures import figures

    data = read_data(rest) if rest else None
    return figures(data, options.runs, options.out, options.tracks, options.track, options.embeddings)


def _add_audit_options(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("root", type=Path, metavar="ROOT", help="where the data set lies; or a CSV file of tracks")
    audit.add_argument(
        "--data",
        choices=("GTZAN", "FMA", "Ballroom", "Folder", "CSV"),
        help="which data set it is (default: what its folders look like)",
    )
    audit.add_argument(
        "--artist", choices=("tags",), help="take the artists from the files' tags (default: as the data set tells)"
    )
    audit.add_argument(
        "--out", type=Path, default=Path("audit"), metavar="DIR", help="where the result goes (default: %(default)s)"
    )
    audit.add_argument(
        "--shortest",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="name tracks shorter than this (default: %(default)s)",
    )
    audit.add_argument(
        "--longest",
        type=float,
        default=1200.0,
        metavar="SECONDS",
        help="name tracks longer than this (default: %(default)s)",
    )


def _audit(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from genre.audit import audit
    from genre.audit.faults import Limits

    limits = Limits(options.shortest, options.longest)
    return audit(options.root, _free(options.out), options.data, limits, options.artist)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1; found '{text}'")
    return int(text)


def _local(text: str) -> Path:
    if re.match(r"\w+://", text):
        raise argparse.ArgumentTypeError(f"addresses are not downloaded; found {text}, expected a file or a folder")
    return Path(text)


def _free(out: Path) -> Path:
    """Refuses a folder that cannot be made, before the work for it begins."""
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if place.is_dir() and os.access(place, os.W_OK):
        return out
    if place.is_dir():
        reason = f"{place} may not be written"
    else:
        reason = "File exists" if place == out else f"{place} is a file"
    raise GenreError(f"{out}: cannot be made ({reason}); choose another --out")
