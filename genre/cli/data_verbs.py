"""The verbs for data sets, benchmarks and recipes; see :mod:`genre.cli.verbs`."""

import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from genre.cli.options import PositiveInt, check_folder, import_modules, usage_error
from genre.errors import GenreError
from genre.recipes import copy_recipes, describe_recipe, find_recipe, list_recipes


def benchmark(
    plan: Path,
    *,
    epochs: Sequence[PositiveInt] = (),
    seeds: Sequence[int] = (),
    splits: Sequence[Path] = (),
    pretrained: str | None = None,
    resume: bool = False,
    name: str | None = None,
    runs_dir: Path = Path("runs"),
    import_: Sequence[str] = (),
    fit_options: Sequence[str],
) -> int:
    """Run a plan of fits, beside the published figures.

    Args:
        plan (PLAN): A plan of your own, or one of `genre recipes`, such as singh/tables.
        epochs (N): Numbers of epochs that replace those of the recipes; every row is run with each.
        seeds (N): Seeds that replace those of the plan.
        splits (FILE): Files with splits that replace those of the plan.
        pretrained (W): `true`, `false` or a weights file, for every network that takes weights.
        resume: Go on with the last benchmark of this plan.
        name (NAME): The benchmark's name (default: the plan's folder and file).
        runs_dir (DIR): Where benchmarks are kept, beside runs.
        import_: The modules of ``--import``, for the processes of the cells.
        fit_options: Options of ``genre fit`` that follow.
    """
    plan = find_recipe(plan)
    from genre.benchmark.run import CommandLine, run_plan
    from genre.cli.recipe import read_recipe
    from genre.cli.run_folder import last_version, next_version

    parent = runs_dir.expanduser().resolve() / (name or f"{plan.resolve().parent.name}-{plan.stem}")
    folder = last_version(parent) if resume else next_version(parent)
    if folder is None:
        raise GenreError(f"{parent}: found no benchmark to resume; begin one without --resume")
    command = shlex.join(["genre", *(argument for argument in sys.argv[1:] if argument != "--resume")])
    return run_plan(
        plan,
        folder,
        CommandLine(command, read_recipe, partial(fit_cell, list(import_)), ["genre.cli.lightning_cli"]),
        epochs=epochs,
        seeds=seeds,
        splits=splits,
        pretrained=pretrained,
        fit_options=fit_options,
    )


def compare(first: Path, others: Sequence[Path]) -> None:
    """Tell whether one run is better than another.

    Args:
        first (RUN): A run's folder, such as runs/<name>/version_0.
        others (RUN): The runs to compare with it.
    """
    from genre.benchmark.compare import compare_runs

    compare_runs([first, *others])


def figures(
    *,
    out: Path = Path("figures"),
    runs: Sequence[Path] = (),
    tracks: PositiveInt = 5,
    embeddings: Path | None = None,
    track: Path | None = None,
    fit_options: Sequence[str],
) -> None:
    """Draw a data set, or several runs on one sheet.

    Args:
        out (DIR): Where the pictures go.
        runs (RUN): Folders of runs to compare.
        tracks (N): Random tracks per genre on the sheets.
        embeddings (FILE): A file of `genre embed` with tracks of the recipe, drawn in place of the other data pictures.
        track (PATH): The file whose inputs are drawn one by one.
        fit_options: Options of ``genre fit`` that follow.
    """
    if not fit_options and not runs and not embeddings:
        usage_error("nothing to draw; give --config RECIPE, or --runs RUN …, or both")
    if embeddings and not fit_options:
        usage_error("--embeddings needs the genres of its tracks; give --config RECIPE, too")
    check_folder(out)
    from genre.cli.figures import figures as draw_figures
    from genre.cli.recipe import read_data

    data = read_data(fit_options) if fit_options else None
    draw_figures(data, runs, out, tracks, track, embeddings)


def audit(
    root: Path,
    *,
    data: Literal["GTZAN", "FMA", "Ballroom", "Folder", "CSV"] | None = None,
    artist: Literal["tags"] | None = None,
    out: Path = Path("audit"),
    shortest: float = 1.0,
    longest: float = 1200.0,
) -> None:
    """Look for faults and duplicates before training.

    Args:
        root (ROOT): The data set's folder, or a CSV file of tracks.
        data: The data set (default: recognised by its folders).
        artist: Take the artists from the files' tags (default: those of the data set).
        out (DIR): Where the result goes.
        shortest (SECONDS): Name tracks shorter than this.
        longest (SECONDS): Name tracks longer than this.
    """
    check_folder(out)
    from genre.audit import audit as audit_tracks
    from genre.audit.faults import Limits

    audit_tracks(root, out, data, Limits(shortest, longest), artist)


def recipes(folder: Path | None = None) -> None:
    """List the recipes that come with genre, or copy them.

    Args:
        folder (DIR): The folder to copy them to; files that are there already are kept.
    """
    if folder is None:
        names = list_recipes()
        width = max(map(len, names))
        print(*(f"{name:<{width}}  {describe_recipe(path)}".rstrip() for name, path in names.items()), sep="\n")
        return
    copied, differing = copy_recipes(folder)
    kept = len(list_recipes()) - copied
    print(f"{copied} files copied to {folder}" + (f", {kept} are there already" if kept else ""))
    for path in differing:
        print(f"{path}: kept; it differs from the recipe of the same name", file=sys.stderr)


def download(
    name: Literal["fma-metadata", "fma-small", "fma-medium", "fma-large", "ballroom", "extended-ballroom", "gtzan"],
    *,
    root: Path,
) -> None:
    """Download a data set.

    Args:
        name: The data set. The archives have: fma-metadata 342 MiB; fma-small 7.2 GiB, fma-medium 22 GiB, fma-large 93
            GiB and the metadata; ballroom 1.5 GB. For extended-ballroom and gtzan, it says where people get them.
        root (DIR): The folder that gets the data set's folders.
    """
    check_folder(root)
    from genre.data.download import download as download_data_set

    download_data_set(name, root)


def fit_cell(modules: Sequence[str], options: Sequence[str]) -> None:
    """Runs ``genre fit`` for a cell of a benchmark, in the cell's own process."""
    import_modules(modules)
    from genre.cli.lightning_cli import run

    run("fit", options)
