"""The verbs other than fit, validate and test. The signature and the docstring of a function define its options.

A parameter before the ``*`` is a positional argument. An option's name drops a trailing ``_``. ``fit_options`` takes
the options of ``genre fit`` that follow. Importing this file is cheap: a function imports the library when it runs.
"""

import argparse
import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from genre.errors import GenreError
from genre.recipes import copy_recipes, describe, find_recipe, list_recipes

T = TypeVar("T")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1; found '{text}'")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, or auto; found '{text}'")
    return value


def _threshold(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else _share(text)


def _local(text: str) -> Path:
    if re.match(r"\w+://", text):
        raise argparse.ArgumentTypeError(f"addresses are not downloaded; found {text}, expected a file or a folder")
    return Path(text)


# The second part of an annotation tells argparse the conversion, or that the option may be repeated.
PositiveInt = Annotated[int, _positive]
Threshold = Annotated[float | Literal["auto"], _threshold]
LocalPath = Annotated[Path, _local]
Repeated = Annotated[Sequence[T], "append"]


def predict(
    paths: Sequence[LocalPath] = (),
    *,
    ckpt_path: Repeated[Path] = (),
    list_: Path | None = None,
    out: Path | None = None,
    resume: bool = False,
    format: Literal["table", "json", "csv"] = "table",  # noqa: A002  # the option's name
    timeline: bool = False,
    threshold: Threshold | None = None,
    segments: PositiveInt | None = None,
    device: str | None = None,
    batch_size: PositiveInt | None = None,
    num_workers: PositiveInt | None = None,
    import_: Repeated[str] = (),
) -> int:
    """Name the genre of audio files with a checkpoint, or their tags without one.

    Args:
        paths (PATH): Audio files, or folders of them; `-` reads a list of paths from stdin.
        ckpt_path (CKPT): The checkpoint of a fit; given more than once, the mean of several; without one, the tags of
            MusiCNN, a network pretrained on music.
        list_ (FILE): A file with more paths, one per line.
        out (FILE): Write a row per file to FILE.csv, FILE.jsonl or FILE.parquet, as they are done, and print none.
        resume: Go on with --out, and skip the files that have a row.
        format: How to print; json is one object per line.
        timeline: Also give the probabilities of every segment, with its first second.
        threshold (P): Name a genre "unknown" if its probability is below this; auto: below the checkpoint's threshold.
        segments (N): The largest number of segments per file (default: as in the fit's validation; 10 for tags).
        device (DEVICE): Where to compute, such as cpu or cuda:1 (default: a GPU if there is one).
        batch_size (N): The largest number of segments that are computed together (default: 16 on a CPU, 256 on a GPU).
        num_workers (N): Threads that decode, and on a CPU compute (default: one per core).
        import_ (MODULE): A module of your own with the checkpoint's network.
    """
    if not paths and list_ is None:
        print("genre predict: error: the following arguments are required: PATH", file=sys.stderr)
        return 2
    if timeline and format == "table" and out is None:
        print("genre predict: error: --timeline needs --format=json, --format=csv or --out", file=sys.stderr)
        return 2
    if resume and out is None:
        print("genre predict: error: --resume needs --out, the file to go on with", file=sys.stderr)
        return 2
    if out is not None:
        check_folder(out.parent)
    import_modules(import_)
    from genre.cli.predict import Options, predict_files

    return predict_files(
        ckpt_path,
        (paths, list_),
        Options(format, out, resume, timeline, threshold, segments, device, batch_size, num_workers),
    )


def embed(
    network: str,
    paths: Sequence[LocalPath],
    *,
    out: Path,
    with_: Repeated[str] = (),
    segments: PositiveInt | None = None,
    import_: Repeated[str] = (),
) -> int:
    """Write the embeddings of audio files, by a checkpoint or a pretrained network.

    Args:
        network (NETWORK): The checkpoint of a fit, or a pretrained network as CLASS or CLASS:WEIGHTS, such as
            MusiCNN:mtt.
        paths (PATH): Audio files, or folders of them.
        out (FILE): The file to write: FILE.npz (arrays paths and embeddings) or FILE.parquet (columns path and
            embedding).
        with_ (NETWORK): Another network, whose embeddings are appended to those of the first; may be repeated.
        segments (N): The largest number of segments per file (default: as in the fit's validation; 10 for pretrained
            networks).
        import_ (MODULE): A module of your own with a checkpoint's network.
    """
    check_folder(out.parent)
    import_modules(import_)
    from genre.cli.embed import embed_files

    return embed_files([network, *with_], paths, out, segments)


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
    import_: Repeated[str] = (),
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
        import_ (MODULE): A module of your own with classes of the recipes.
        fit_options: Options of ``genre fit`` that follow.
    """
    plan = find_recipe(plan)
    import_modules(import_)
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


def compare(first: Path, others: Sequence[Path]) -> int:
    """Tell whether one run is better than another.

    Args:
        first (RUN): A run's folder, such as runs/<name>/version_0.
        others (RUN): The runs to compare with it.
    """
    from genre.benchmark.compare import compare_runs

    return compare_runs([first, *others])


def ensemble(
    checkpoints: Sequence[Path],
    *,
    out: Path | None = None,
    import_: Repeated[str] = (),
    fit_options: Sequence[str],
) -> int:
    """Score the mean of several checkpoints, and write a report.

    Args:
        checkpoints (CKPT): Checkpoints of the same split.
        out (DIR): Where the report goes (default: the next runs/ensemble/version_N).
        import_ (MODULE): A module of your own with classes of the checkpoints or of the recipe.
        fit_options: Options of ``genre fit`` that follow.
    """
    from genre.cli.run_folder import next_version

    folder = check_folder(out or next_version(Path("runs/ensemble")))
    import_modules(import_)
    from genre.cli.ensemble import score_ensemble

    return score_ensemble(checkpoints, folder, fit_options)


def figures(
    *,
    out: Path = Path("figures"),
    runs: Sequence[Path] = (),
    tracks: PositiveInt = 5,
    embeddings: Path | None = None,
    track: Path | None = None,
    import_: Repeated[str] = (),
    fit_options: Sequence[str],
) -> int:
    """Draw a data set, or several runs on one sheet.

    Args:
        out (DIR): Where the pictures go.
        runs (RUN): Folders of runs to compare.
        tracks (N): Random tracks per genre on the sheets.
        embeddings (FILE): A file of `genre embed` with tracks of the recipe, drawn in place of the other data pictures.
        track (PATH): The file whose inputs are drawn one by one.
        import_ (MODULE): A module of your own with classes of the recipe.
        fit_options: Options of ``genre fit`` that follow.
    """
    if not fit_options and not runs and not embeddings:
        print("genre: error: nothing to draw; give --config RECIPE, or --runs RUN …, or both", file=sys.stderr)
        return 2
    if embeddings and not fit_options:
        print("genre: error: --embeddings needs the genres of its tracks; give --config RECIPE, too", file=sys.stderr)
        return 2
    check_folder(out)
    import_modules(import_)
    from genre.cli.figures import figures as draw_figures
    from genre.cli.recipe import read_data

    data = read_data(fit_options) if fit_options else None
    return draw_figures(data, runs, out, tracks, track, embeddings)


def audit(
    root: Path,
    *,
    data: Literal["GTZAN", "FMA", "Ballroom", "Folder", "CSV"] | None = None,
    artist: Literal["tags"] | None = None,
    out: Path = Path("audit"),
    shortest: float = 1.0,
    longest: float = 1200.0,
) -> int:
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

    return audit_tracks(root, out, data, Limits(shortest, longest), artist)


def recipes(folder: Path | None = None) -> int:
    """List the recipes that come with genre, or copy them.

    Args:
        folder (DIR): The folder to copy them to; files that are there already are kept.
    """
    if folder is None:
        names = list_recipes()
        width = max(map(len, names))
        print(*(f"{name:<{width}}  {describe(path)}".rstrip() for name, path in names.items()), sep="\n")
        return 0
    copied, differing = copy_recipes(folder)
    kept = len(list_recipes()) - copied
    print(f"{copied} files copied to {folder}" + (f", {kept} are there already" if kept else ""))
    for path in differing:
        print(f"{path}: kept; it differs from the recipe of the same name", file=sys.stderr)
    return 0


def serve(
    checkpoint: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_mb: PositiveInt = 100,
    max_minutes: PositiveInt = 20,
    import_: Repeated[str] = (),
) -> int:
    """Name the genre of songs in a web page and over HTTP.

    Args:
        checkpoint (CKPT): The checkpoint of a fit.
        host (HOST): The address to listen on; 0.0.0.0 lets the whole network in.
        port (PORT): The port to listen on; 0 takes a free one.
        max_mb (N): The largest upload in megabytes.
        max_minutes (N): The longest upload in minutes.
        import_ (MODULE): A module of your own with the checkpoint's network.
    """
    import_modules(import_)
    from genre.serve import serve as serve_checkpoint

    return serve_checkpoint(checkpoint, host, port, max_mb, max_minutes)


def download(
    name: Literal["fma-metadata", "fma-small", "fma-medium", "fma-large", "ballroom", "extended-ballroom", "gtzan"],
    *,
    root: Path,
) -> int:
    """Download a data set.

    Args:
        name: The data set. The archives have: fma-metadata 342 MiB; fma-small 7.2 GiB, fma-medium 22 GiB, fma-large 93
            GiB and the metadata; ballroom 1.5 GB. For extended-ballroom and gtzan, it says where people get them.
        root (DIR): The folder that gets the data set's folders.
    """
    check_folder(root)
    from genre.data.download import download as download_data_set

    download_data_set(name, root)
    return 0


def explain(
    checkpoint: Path,
    file: LocalPath,
    *,
    out: Path,
    genre: str | None = None,
    segments: PositiveInt | None = None,
    import_: Repeated[str] = (),
) -> int:
    """Draw what speaks for a genre in an audio file.

    Args:
        checkpoint (CKPT): The checkpoint of a fit.
        file (FILE): An audio file.
        out (PNG): The picture to write; the three most decisive stretches go beside it as wav files.
        genre (GENRE): The genre to explain (default: the most probable one).
        segments (N): The largest number of segments (default: as in the fit's validation).
        import_ (MODULE): A module of your own with the checkpoint's network.
    """
    if out.suffix.lower() != ".png":
        raise GenreError(f"--out: found {out}; expected a picture FILE.png")
    check_folder(out.parent)
    import_modules(import_)
    from genre.cli.explain import explain_file

    return explain_file(checkpoint, file, out, genre, segments)


def export(
    checkpoint: Path,
    out: Path,
    *,
    format: Literal["hub", "onnx"],  # noqa: A002  # the option's name
    push: str | None = None,
    int8: bool = False,
    import_: Repeated[str] = (),
    fit_options: Sequence[str],
) -> int:
    """Write a checkpoint as a folder for the hub, or as an ONNX model.

    Args:
        checkpoint (CKPT): The checkpoint of a fit, or an exported folder.
        out (OUT): The folder of a hub export, or the file of an ONNX model.
        format: hub: weights, configuration and model card; onnx: a model that takes waveforms and needs no PyTorch.
        push (NAME): Upload the folder to this repository of the hub, as user/name.
        int8: Also write OUT with 8-bit weights, as NAME.int8.onnx, and print what that costs; with options of `genre
            fit` that give the data, such as --data.root ROOT, in accuracy on the test tracks.
        import_ (MODULE): A module of your own with the checkpoint's network.
        fit_options: Options of ``genre fit`` that follow.
    """
    for given, name, other in ((push, "--push", "hub"), (int8 or fit_options, "--int8", "onnx")):
        if given and format != other:
            unknown = f"unrecognized arguments: {' '.join(fit_options)}" if fit_options else f"{name} is for {other}"
            print(f"genre export: error: {unknown} with --format {format}", file=sys.stderr)
            return 2
    if fit_options and not int8:
        print(f"genre export: error: unrecognized arguments: {' '.join(fit_options)}", file=sys.stderr)
        return 2
    check_folder(out if format == "hub" else out.parent)
    import_modules(import_)
    from genre.cli.export import export_as_folder, export_as_onnx

    return (
        export_as_folder(checkpoint, out, push)
        if format == "hub"
        else export_as_onnx(checkpoint, out, int8, fit_options)
    )


#: The function of each verb, by the verb's name.
VERBS: dict[str, Callable[..., int]] = {
    verb.__name__: verb
    for verb in (
        predict,
        embed,
        export,
        benchmark,
        compare,
        ensemble,
        figures,
        audit,
        recipes,
        serve,
        download,
        explain,
    )
}


def fit_cell(modules: Sequence[str], options: Sequence[str]) -> None:
    """Runs ``genre fit`` for a cell of a benchmark, in the cell's own process."""
    import_modules(modules)
    from genre.cli.lightning_cli import run

    run("fit", options)


def import_modules(modules: Sequence[str]) -> None:
    """Imports the user's modules, also from the current folder.

    Raises:
        GenreError: A module, or one that it imports, is not found.
    """
    folder = str(Path.cwd())
    if not {"", folder} & set(sys.path):
        # A console script does not search the current folder. It comes last, so no file hides an installed package.
        sys.path.append(folder)
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise GenreError(f"--import {module}: {error}") from None


def check_folder(folder: Path) -> Path:
    """Returns a folder for results, after a check that it exists or can be made.

    Raises:
        GenreError: The folder cannot be made or written to.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if place.is_dir() and os.access(place, os.W_OK):
        return folder
    if place.is_dir():
        reason = f"{place} may not be written"
    else:
        reason = "File exists" if place == folder else f"{place} is a file"
    raise GenreError(f"{folder}: cannot be made ({reason}); choose another --out")
