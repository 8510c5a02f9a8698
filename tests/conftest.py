"""Small corpora of generated audio, in the layouts that people have."""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from genre.environment import prepare_torch

prepare_torch()  # as the command line does, before torch is imported

import numpy as np
import pytest
import soundfile

GTZAN_MINI = Path(__file__).parents[2] / "shared" / "gtzan-mini"

#: Seconds of a generated track: long and short ones, as in a real collection.
SECONDS = (2.5, 1.2, 0.6, 3.1)


#: The files that take longest. They come first: one that is begun last would keep a single core busy.
LONG = (
    "test_documentation.py",
    "test_best_checkpoint.py",
    "test_examples.py",
    "test_onnx.py",
    "test_lightning_tools.py",
    "test_plans.py",
    "test_warm_start.py",
    "test_benchmark.py",
    "test_every_trainer_option.py",
    "test_whole_files.py",
    "test_protocols.py",
    "test_all_models.py",
    "test_example_scripts.py",
    "test_serve.py",
    "test_every_callback.py",
    "test_ddp.py",
    "test_resume.py",
    "test_datamodule.py",
    "test_figures.py",
    "test_predictor.py",
)


def pytest_collectstart() -> None:
    """Imports Lightning before other libraries, as on the command line.

    Python's typing takes unions with the same members for one another, so another library's ``Union[float, int]`` could
    change how ``--trainer.limit_train_batches=1`` is read. xdist's main process collects nothing: it need not import it.
    """
    importlib.import_module("genre.data.gtzan")


def pytest_collection_finish() -> None:
    """Keeps what is imported by now out of garbage collections, which Lightning's tuner asks for again and again."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of the longest files first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def tone(genre: int, track: int, seconds: float, sample_rate: int = 22050) -> np.ndarray:
    """A chord whose pitch tells the genre, with noise that differs from track to track."""
    random = np.random.default_rng([genre, track])
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = 110 * 2 ** (genre / 3) * random.uniform(0.98, 1.02)
    chord = sum(np.sin(2 * np.pi * pitch * ratio * time) for ratio in (1, 1.25, 1.5))
    return (0.2 * chord + 0.02 * random.standard_normal(len(time))).astype(np.float32)


def write_gtzan(root: Path, numbers: Callable[[str], list[int]], seconds: float | None = None) -> Path:
    """Writes generated tracks as ``genres_original/<genre>/<genre>.NNNNN.wav``."""
    from genre.data.gtzan import GENRES

    for index, genre in enumerate(GENRES):
        folder = root / "genres_original" / genre
        folder.mkdir(parents=True)
        for place, number in enumerate(numbers(genre)):
            wave = tone(index, number, seconds or SECONDS[place % len(SECONDS)])
            soundfile.write(folder / f"{genre}.{number:05d}.wav", wave, 22050, subtype="PCM_16")
    return root


def write_folder(root: Path, genres: int = 3, tracks: int = 8, seconds: float = 1.0) -> Path:
    """Writes generated tracks as ``<genre>/<artist>/<file>``, two tracks an artist."""
    for genre in range(genres):
        for track in range(tracks):
            path = root / f"genre{genre}" / f"artist{genre}{track // 2}" / f"song{track}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(genre, track, seconds), 22050, subtype="PCM_16")
    return root


@pytest.fixture(scope="session")
def gtzan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A subset of GTZAN's layout with tracks of all three subsets of the fault-filtered split: 10 genres, 8 tracks each."""
    from genre.data.gtzan import fault_filtered_split

    subsets = fault_filtered_split()

    def numbers(genre: str) -> list[int]:
        wanted = {"train": 4, "validation": 2, "test": 2}
        return sorted(
            int(name.partition(".")[2])
            for subset, count in wanted.items()
            for name in [name for name, there in subsets.items() if there == subset and name.startswith(f"{genre}.")][
                :count
            ]
        )

    return write_gtzan(tmp_path_factory.mktemp("gtzan"), numbers)


@pytest.fixture(scope="session")
def few_genres(gtzan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres of it: features are measured on all train tracks, and a frozen network runs over every track."""
    from genre.data.gtzan import GENRES

    root = tmp_path_factory.mktemp("few")
    (root / "genres_original").mkdir()
    for genre in GENRES[:3]:
        (root / "genres_original" / genre).symlink_to(gtzan / "genres_original" / genre)
    return root


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three genres in nested folders, 8 tracks of 4 artists each."""
    return write_folder(tmp_path_factory.mktemp("folder"))


@pytest.fixture(scope="session")
def gtzan_mini() -> Path:
    """Real music, where it is at hand."""
    if not GTZAN_MINI.is_dir():
        pytest.skip(f"gtzan-mini is not at {GTZAN_MINI}")
    return GTZAN_MINI


@pytest.fixture(scope="session")
def musicnn() -> Path:
    """The folder of the installed weights of MusiCNN."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return Path(str(distribution("musicnn").locate_file("musicnn")))
    except PackageNotFoundError:
        pytest.skip("the weights of MusiCNN are not installed: pip install --no-deps musicnn==0.1.0")


def run_cli(*arguments: str | Path) -> int:
    """Runs the command line in this process; returns its exit status."""
    from genre.cli import main

    before = sys.argv[:]
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    finally:
        sys.argv[:] = before
    raise AssertionError("main() always exits")


#: Options of a fit that takes a second.
QUICK = (
    "--model.network=genre.models.SpectralCNN",
    "--data=genre.data.Folder",
    "--data.features=genre.audio.MelSpectrogram",
    "--data.features.n_mels=32",
    "--data.features.n_fft=512",
    "--data.features.hop_length=256",
    "--data.split=genre.data.StratifiedSplit",
    "--data.split.by_artist=true",
    "--data.split.test=0.25",
    "--data.segment_seconds=0.8",
    "--data.batch_size=6",
    "--data.num_workers=0",
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
)


@contextmanager
def without_pictures() -> Iterator[None]:
    """Reports and tables without pictures, which take two thirds of a small fit's time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("genre.report.folder", "genre.benchmark.table"):
            patch.setattr(f"{module}._draw", lambda *arguments: {})
        yield


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test has no pictures, unless it is marked with ``pictures``; a fixture that tests share has them."""
    with nullcontext() if request.node.get_closest_marker("pictures") else without_pictures():
        yield


@pytest.fixture
def empty_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """``genre figures`` draws its pictures and writes empty files, as writing takes most of its time."""
    monkeypatch.setattr("genre.cli.figures.save_small", lambda figure, path: path.touch())


@pytest.fixture
def quick_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells of a benchmark are forked as the programs of the tests are, and draw no pictures."""
    from . import processes

    monkeypatch.setattr("genre.benchmark.run.start_server", lambda modules: processes.start())
    monkeypatch.setattr("genre.cli.data_verbs.fit_cell", processes.fit_cell)


@pytest.fixture(scope="session")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished fit."""
    runs = tmp_path_factory.mktemp("runs")
    assert run_cli("fit", *QUICK, f"--data.root={folder}", f"--runs_dir={runs}", "--trainer.max_epochs=3") == 0
    return runs / "SpectralCNN" / "version_0"
