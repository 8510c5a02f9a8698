"""``genre predict``: the genres or tags of files, printed, or written to a file with one row per audio file."""

import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from genre.audio.cache import count_cores
from genre.catalogue import FilePrediction, Settings, predict_catalogue
from genre.cli.audio_files import AudioFiles, by_size, expand_lists
from genre.cli.predict_formats import CsvFile, Entry, check_output_file
from genre.cli.predict_output import PredictOutput
from genre.cli.processes import Place, choose_device, find_place
from genre.errors import GenreError, printable
from genre.predictor import Ensemble, load
from genre.tagger import Tagger
from genre.terminal import say, terminal

#: The number of runners-up in the table. A song can have several tags, so it has more of them.
RUNNERS_UP = {"genre": 2, "tag": 4}


class Options(NamedTuple):
    """The options of ``genre predict``, see :func:`genre.cli.verbs.predict`."""

    form: Literal["table", "json", "csv"]
    out: Path | None
    resume: bool
    timeline: bool
    threshold: float | Literal["auto"] | None
    segments: int | None
    device: str | None
    batch_size: int | None
    num_workers: int | None


def predict_files(checkpoints: Sequence[Path], paths: Sequence[Path], list_: Path | None, options: Options) -> int:
    """Predicts the genre of every file, or without a checkpoint its tags; returns the exit status."""
    place = find_place()
    if options.out is not None:
        check_output_file(options.out)
    elif place.world_size > 1:
        raise GenreError(f"{place.world_size} processes share the files; each writes a part of --out FILE, give one")
    device = choose_device(options.device, place.local_rank)
    ensemble = Ensemble([load(path, device=device) for path in checkpoints] or [_tagger(device)])
    for predictor in ensemble.predictors:
        predictor.evaluation_segments = options.segments or predictor.evaluation_segments
    if options.timeline and len({(one.segment_seconds, one.evaluation_segments) for one in ensemble.predictors}) > 1:
        raise GenreError("--timeline: the checkpoints have segments of other lengths or numbers; give one of them")
    files = AudioFiles(expand_lists(paths, list_))
    workers = options.num_workers or max(1, count_cores() // place.local_size)
    call = PredictCall(ensemble, "genre" if checkpoints else "tag", options._replace(num_workers=workers))
    if options.out is not None:
        call.write(files, options.out, place)
    elif options.form == "table":
        call.print_table(files)
    else:
        call.print_lines(files)
    return 1 if files.faults else 0


class PredictCall:
    """One call of ``genre predict``.

    Attributes:
        speed: The speed so far, without the merge of parts; empty before the first file.
    """

    speed = ""

    def __init__(self, ensemble: Ensemble, name: str, options: Options) -> None:
        self.ensemble, self.name, self.options = ensemble, name, options
        self.threshold = _stored_threshold(ensemble) if isinstance(options.threshold, str) else options.threshold

    def write(self, files: AudioFiles, out: Path, place: Place) -> None:
        """Writes a row per file; a bad file has one, too, with the error, so it is not tried again."""
        layout = (self.name, self.ensemble.genres, self.options.timeline)
        results = PredictOutput(out, *layout, place.rank, place.world_size)
        done = results.begin(self.options.resume)
        share = by_size(files.paths)[place.rank :: place.world_size]
        missing = [path for path in share if printable(path) not in done]
        with closing(results):
            for result in self._results(files, missing):
                results.append(self._entry(result))
        if place.world_size == 1:
            results.merge()
        line = f"{out}: {len(missing)} files" + (f", {self.speed}" if missing else "")
        if len(missing) < len(share):
            line += f"; {len(share) - len(missing)} had a row already"
        if place.world_size > 1:
            line += (
                f"; process {place.rank} of {place.world_size} has written its part, which the same command with "
                "--resume, in a single process, merges"
            )
        say(line)

    def print_table(self, files: AudioFiles) -> None:
        """Prints a table when all is done."""
        table = Table(caption="tags by MusiCNN; for genres of your own: genre fit" if self.name == "tag" else None)
        table.add_column("path", overflow="fold")
        table.add_column(self.name, style="bold")
        table.add_column("probability", justify="right")
        table.add_column("runners-up")
        try:
            for entry in self._entries(files):
                others = list(entry["probabilities"].items())[1 : 1 + RUNNERS_UP[self.name]]
                runners_up = ", ".join(f"{genre} {probability:.2f}" for genre, probability in others)
                table.add_row(entry["path"], entry[self.name], f"{entry['probability']:.2f}", runners_up)
        finally:  # Ctrl-C keeps what is done
            if table.row_count:
                terminal().print(table)

    def print_lines(self, files: AudioFiles) -> None:
        """Prints one JSON object per file, or a header and one row of csv per file."""
        layout = CsvFile(Path(), self.name, self.ensemble.genres, self.options.timeline)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if self.options.form == "csv":
            writer.writerow(layout.columns[:-1])  # without that of errors
        for entry in self._entries(files):
            if self.options.form == "csv":
                writer.writerow(layout.row(entry))
            else:
                print(json.dumps(entry, ensure_ascii=False))
            sys.stdout.flush()

    def _entries(self, files: AudioFiles) -> Iterator[Entry]:
        """The entries of all readable files."""
        return (self._entry(result) for result in self._results(files, files.paths) if result.error is None)

    def _entry(self, result: FilePrediction) -> Entry:
        path = str(result.path)
        if result.prediction is None:
            assert result.error is not None
            return {"path": path, "error": result.error.reason}
        prediction = result.prediction
        entry: dict[str, Any] = {
            "path": path,
            self.name: prediction.genre_above(self.threshold),
            "probability": prediction.probability,
            "probabilities": prediction.probabilities,
        }
        if self.options.timeline:
            starts = result.timelines[0][0]
            rows = torch.stack([values.double() for _, values in result.timelines]).mean(0)
            entry["timeline"] = [
                {"start": start, "probabilities": dict(zip(self.ensemble.genres, values, strict=True))}
                for start, values in zip(starts, rows.tolist(), strict=True)
            ]
        return entry

    def _results(self, files: AudioFiles, paths: Sequence[Path]) -> Iterator[FilePrediction]:
        """The results of files, with a progress bar on a terminal, and a line on stderr for each bad file."""
        device = self.ensemble.predictors[0].device
        settings = Settings.choose(device, self.options.num_workers, self.options.batch_size)
        console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
        rows_on_terminal = self.options.out is None and self.options.form != "table" and sys.stdout.isatty()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(),
        )
        off = rows_on_terminal or not console.is_terminal
        with Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=off) as bar:
            task = bar.add_task("predicting", total=len(paths), speed="")
            start, seconds = time.perf_counter(), 0.0
            for count, result in enumerate(predict_catalogue(self.ensemble, paths, settings), 1):
                if result.error is not None:
                    files.report(str(result.error))
                seconds += result.seconds
                elapsed = time.perf_counter() - start
                self.speed = f"{count / elapsed:.1f} files per second, {seconds / elapsed:.0f} × real time"
                bar.update(task, advance=1, speed=self.speed)
                yield result


def _stored_threshold(ensemble: Ensemble) -> float:
    """The threshold that a fit has chosen."""
    if len(ensemble.predictors) > 1:
        raise GenreError("--threshold auto: several checkpoints have no threshold together; give a number")
    threshold = ensemble.predictors[0].calibration.threshold
    if threshold is None:
        raise GenreError("--threshold auto: its fit found no threshold, or there is no checkpoint; give a number")
    return threshold


def _tagger(device: str) -> Tagger:
    try:
        return Tagger(device=device)
    except GenreError as error:
        raise GenreError(f"without --ckpt_path CKPT, genre predict names a song's tags, but {error}") from None
