"""The verbs other than fit, validate and test. The signature and the docstring of a function define its options.

A parameter before the ``*`` is a positional argument. An option's name drops a trailing ``_``. ``fit_options`` takes
the options of ``genre fit`` that follow. The result is the exit status, where it can be another than 0. Importing this
file is cheap: a function imports the library when it runs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from genre.cli.data_verbs import audit, benchmark, compare, download, figures, recipes
from genre.cli.options import LocalPath, PositiveInt, Repeated, Threshold, check_folder, usage_error
from genre.errors import AudioError, GenreError


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
    """
    if not paths and list_ is None:
        usage_error("the following arguments are required: PATH", "genre predict")
    if timeline and format == "table" and out is None:
        usage_error("--timeline needs --format=json, --format=csv or --out", "genre predict")
    if resume and out is None:
        usage_error("--resume needs --out, the file to go on with", "genre predict")
    if out is not None:
        check_folder(out.parent)
    from genre.cli.predict import Options, predict_files

    return predict_files(
        ckpt_path,
        paths,
        list_,
        Options(format, out, resume, timeline, threshold, segments, device, batch_size, num_workers),
    )


def embed(
    network: str,
    paths: Sequence[LocalPath],
    *,
    out: Path,
    with_: Repeated[str] = (),
    segments: PositiveInt | None = None,
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
    """
    check_folder(out.parent)
    import numpy as np

    from genre.cli.audio_files import AudioFiles
    from genre.cli.processes import choose_device
    from genre.embeddings import Embeddings, check_writable, load_embedder, write_embeddings
    from genre.terminal import progress, say

    check_writable(out)
    predictors = [load_embedder(name, choose_device()) for name in (network, *with_)]
    for predictor in predictors:
        predictor.evaluation_segments = segments or predictor.evaluation_segments
    files, rows = AudioFiles(paths), []
    try:
        for path in progress(files.paths, "embedding", len(files.paths)):
            try:
                rows.append((path, np.concatenate([predictor.embed(path) for predictor in predictors])))
            except AudioError as error:
                files.report(str(error))
    finally:  # Ctrl-C keeps what is done
        if rows:
            values = np.stack([row for _, row in rows])
            write_embeddings(out, Embeddings([path for path, _ in rows], values))
            say(f"{out}: {len(values)} embeddings of {values.shape[1]} values")
    return 1 if files.faults else 0


def explain(
    checkpoint: Path,
    file: LocalPath,
    *,
    out: Path,
    genre: str | None = None,
    segments: PositiveInt | None = None,
) -> None:
    """Draw what speaks for a genre in an audio file.

    Args:
        checkpoint (CKPT): The checkpoint of a fit.
        file (FILE): An audio file.
        out (PNG): The picture to write; the three most decisive stretches go beside it as wav files.
        genre (GENRE): The genre to explain (default: the most probable one).
        segments (N): The largest number of segments (default: as in the fit's validation).
    """
    if out.suffix.lower() != ".png":
        raise GenreError(f"--out: found {out}; expected a picture FILE.png")
    check_folder(out.parent)
    import soundfile

    from genre.audio.recording import FileRecording
    from genre.cli.processes import choose_device
    from genre.explain import decisive_stretches
    from genre.explain import explain as explain_recording
    from genre.plots.spectrogram import plot_explanation
    from genre.plots.style import save_small
    from genre.predictor import load
    from genre.terminal import say

    predictor = load(checkpoint, device=choose_device())
    predictor.evaluation_segments = segments or predictor.evaluation_segments
    explanation = explain_recording(predictor, FileRecording(file), genre)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_small(plot_explanation(explanation, predictor.features.cpu(), file.name), out)
    say(f"{file}: {explanation.genre} {explanation.probability:.2f}; {out}")
    rate = predictor.features.sample_rate
    for number, (start, samples) in enumerate(decisive_stretches(explanation), start=1):
        path = out.with_name(f"{out.stem}-{number}.wav")
        soundfile.write(path, samples.numpy(), rate)
        say(f"{path}: {start:.1f} to {start + len(samples) / rate:.1f} s")


def export(
    checkpoint: Path,
    out: Path,
    *,
    format: Literal["hub", "onnx"],  # noqa: A002  # the option's name
    push: str | None = None,
    int8: bool = False,
    fit_options: Sequence[str],
) -> None:
    """Write a checkpoint as a folder for the hub, or as an ONNX model.

    Args:
        checkpoint (CKPT): The checkpoint of a fit, or an exported folder.
        out (OUT): The folder of a hub export, or the file of an ONNX model.
        format: hub: weights, configuration and model card; onnx: a model that takes waveforms and needs no PyTorch.
        push (NAME): Upload the folder to this repository of the hub, as user/name.
        int8: Also write OUT with 8-bit weights, as NAME.int8.onnx, and print what that costs; with options of `genre
            fit` that give the data, such as --data.root ROOT, in accuracy on the test tracks.
        fit_options: Options of ``genre fit`` that follow.
    """
    for given, name, other in ((push, "--push", "hub"), (int8 or fit_options, "--int8", "onnx")):
        if given and format != other:
            unknown = f"unrecognized arguments: {' '.join(fit_options)}" if fit_options else f"{name} is for {other}"
            usage_error(f"{unknown} with --format {format}", "genre export")
    if fit_options and not int8:
        usage_error(f"unrecognized arguments: {' '.join(fit_options)}", "genre export")
    check_folder(out if format == "hub" else out.parent)
    from genre.cli.export import export_as_folder, export_as_onnx

    if format == "hub":
        export_as_folder(checkpoint, out, push)
    else:
        export_as_onnx(checkpoint, out, int8, fit_options)


def ensemble(
    checkpoints: Sequence[Path],
    *,
    out: Path | None = None,
    fit_options: Sequence[str],
) -> None:
    """Score the mean of several checkpoints, and write a report.

    Args:
        checkpoints (CKPT): Checkpoints of the same split.
        out (DIR): Where the report goes (default: the next runs/ensemble/version_N).
        fit_options: Options of ``genre fit`` that follow.
    """
    from genre.cli.run_folder import next_version

    folder = check_folder(out or next_version(Path("runs/ensemble")))
    from genre.cli.ensemble import score_ensemble

    score_ensemble(checkpoints, folder, fit_options)


def serve(
    checkpoint: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_mb: PositiveInt = 100,
    max_minutes: PositiveInt = 20,
) -> None:
    """Name the genre of songs in a web page and over HTTP.

    Args:
        checkpoint (CKPT): The checkpoint of a fit.
        host (HOST): The address to listen on; 0.0.0.0 lets the whole network in.
        port (PORT): The port to listen on; 0 takes a free one.
        max_mb (N): The largest upload in megabytes.
        max_minutes (N): The longest upload in minutes.
    """
    from genre.serve import serve as serve_checkpoint

    serve_checkpoint(checkpoint, host, port, max_mb, max_minutes)


#: The function of each verb, by the verb's name.
VERBS: dict[str, Callable[..., int | None]] = {
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
