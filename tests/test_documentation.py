"""The README and the pages as a reader uses them: every code block is run, or says why it is not; every link leads somewhere.

A block is run in the order of its page, in a folder with generated music. ``<!-- not run: reason -->`` before a block
excuses it; the options of its ``genre`` commands are parsed nevertheless.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import soundfile
import yaml

from genre.cli.help_page import FIT_VERBS, print_help
from genre.cli.main import build_parser
from genre.cli.recipe import read_recipe

from .conftest import run_cli, tone, write_folder
from .processes import run_python
from .test_examples import write_ballroom, write_fma

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/pages").rglob("*.md"))]
#: A block with its language, its indentation and the comment that excuses it.
BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>.+?) -->\s*\n+)?^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
#: Laid over every fit: what makes it small.
SMALL = """
data: {num_workers: 0}
trainer: {max_epochs: 1, accelerator: cpu, enable_progress_bar: false}
"""
#: A recipe for the examples, as a reader would have one.
RECIPE = """
model: {network: SpectralCNN}
data:
  class_path: Folder
  init_args:
    root: music
    features: {class_path: MelSpectrogram, init_args: {n_mels: 32}}
    split: {class_path: StratifiedSplit, init_args: {by_artist: true, test: 0.25}}
    segment_seconds: 0.8
    batch_size: 6
"""


class Block(NamedTuple):
    language: str
    code: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(each["language"], each["code"], each["reason"]) for each in found]


def commands(code: str) -> Iterator[list[str]]:
    """The commands of a shell block, without comments and redirections."""
    for line in re.sub(r"\\\n\s*", " ", code).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words[: words.index(">")] if ">" in words else words


@pytest.fixture(scope="module")
def place(trained: Path, gtzan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted: music, a song, a recipe and a classifier."""
    place = tmp_path_factory.mktemp("reader")
    write_folder(place / "music")
    (place / "examples").symlink_to(ROOT / "examples")
    for name in ("GTZAN", "ROOT"):
        (place / name).symlink_to(gtzan)
    write_fma(place / "fma")
    write_ballroom(place)
    songs = sorted((place / "music").rglob("*.wav"))
    rows = [",".join((str(path.relative_to(place)), *path.parts[-3:-1])) for path in songs]
    (place / "tracks.csv").write_text("\n".join(["path,genre,artist", *rows, ""]))
    for folder in ("more_songs", "catalogue", "named"):
        (place / folder).mkdir()
    for name in ("song.mp3", "more_songs/other.mp3", "catalogue/third.mp3"):
        soundfile.write(place / name, tone(0, 9, 3.0), 22050)
    for genre in range(3):
        for track in range(8):
            name = f"genre{genre}__artist{genre}{track // 2}__song{track}.wav"
            soundfile.write(place / "named" / name, tone(genre, track, 1.0), 22050)
    names = sorted(path.stem for path in (place / "named").iterdir())
    (place / "lists").mkdir()
    for number, subset in enumerate(("validation", "test", "train", "train")):  # a quarter each
        with (place / "lists" / f"{subset}.txt").open("a") as lines:
            lines.writelines(f"{name}\n" for name in names[number::4])
    shutil.copytree(trained, place / "runs/mine/version_0")
    shutil.copy(trained / "checkpoints/best.ckpt", place / "mine.ckpt")
    shutil.copy(trained / "checkpoints/best.ckpt", place / "other.ckpt")
    for name in ("fit.yaml", "mine.yaml"):
        (place / name).write_text(RECIPE)
    (place / "small.yaml").write_text(SMALL)
    return place


def parse(words: list[str]) -> None:
    """Parses a command of ``genre`` without running it."""
    _, verb, *options = words
    if verb not in FIT_VERBS:
        build_parser().parse_known_args([verb, *options])
    elif not print_help(verb, options) and not {"--import", "--ckpt_path"} & set(options):
        read_recipe(options)


def run(words: list[str]) -> None:
    """Runs a command, a fit for one epoch; what changes the machine is only checked."""
    program, *options = words
    if program == "genre":
        if options[0] == "fit" and "--ckpt_path" not in options and not print_help("fit", options[1:]):
            options += ["--config", "small.yaml", "--data.evaluation_segments=2"]
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_cli(*options) == 0, shlex.join(words)
    elif program == "make":
        assert re.search(rf"^{options[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "pip":
        assert options[0] == "install"
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"(?<=[\[,])\w+(?=[\],])", " ".join(options))) <= set(extras)
    else:
        raise AssertionError(f"neither run nor excused: {shlex.join(words)}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks(page: Path, place: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if any("musicnn" in block.code.lower() and not block.reason for block in blocks(page)):
        request.getfixturevalue("musicnn")  # skips where its weights are not at hand
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "100")
    scope: dict[str, Any] = {"__name__": page.stem}
    for language, code, reason in blocks(page):
        if language == "sh":
            for words in commands(code):
                if reason is None or words[0] == "pip":  # which is only checked
                    run(words)
                elif words[0] == "genre" and all(Path(word).exists() for word in words if word.endswith(".yaml")):
                    parse(words)
        elif language == "yaml":
            assert yaml.safe_load(code), page
        elif language == "python" and reason is None:
            code = re.sub(r"^EPOCHS = \d+", "EPOCHS = 1", code, flags=re.MULTILINE)
            if "class " in code:  # a module that a command names
                (place / "mine.py").write_text(code)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, str(page), "exec"), scope)


def test_every_block_has_a_language_that_is_run() -> None:
    """`text` holds what a program prints; a file tree and a configuration are no commands."""
    for page in PAGES:
        fences = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        languages = {fence.partition(" ")[0] for fence in fences[::2] if not fence.startswith("{")}
        assert languages <= {"sh", "python", "yaml", "text", "json", "csv"}, page


def public_classes() -> dict[str, type]:
    """The classes of the public modules, by name; a class stands in several of them, but under one name."""
    modules = [importlib.import_module(name) for name in ("genre", "genre.audio", "genre.data", "genre.models")]
    members = {name: getattr(module, name) for module in modules for name in module.__all__}
    return {name: value for name, value in members.items() if isinstance(value, type)}


@pytest.mark.parametrize("name", sorted(public_classes()))
def test_example_of_a_class(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every public class has an example in its docstring, which prints what it says."""
    monkeypatch.chdir(place)
    kind = public_classes()[name]
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(kind) or "", {}, name, None, None)
    assert test.examples, f"{name} has no example"
    printed = io.StringIO()
    result = doctest.DocTestRunner(verbose=False).run(test, out=printed.write)
    assert result.failed == 0, printed.getvalue()
    assert not any(doctest.SKIP in example.options for example in test.examples)


def test_links() -> None:
    """Those within the repository; ``make linkcheck`` tries the others."""
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "docs/index.md"]:
        for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8")):
            name = "".join(target).partition("#")[0]
            assert not name or name.startswith("http") or (page.parent / name).exists(), f"{page.name}: {target}"


def test_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert (ROOT / "docs/report.png").stat().st_size < 200_000


NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(notebook: Path, tmp_path: Path) -> None:
    """Runs to its end, for one epoch on short tracks, and holds the outputs of every cell that prints or draws."""
    nbformat = pytest.importorskip("nbformat")
    content = nbformat.read(notebook, as_version=4)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells if "print(" in cell.source or "plt.show()" in cell.source)
    assert notebook.stat().st_size < 200_000
    code = "\n".join(cell.source for cell in cells).replace("seconds=6.0", "seconds=2.0")
    script = tmp_path / "notebook.py"
    script.write_text(re.sub(r"^EPOCHS = \d+", "EPOCHS = 1", code, flags=re.MULTILINE), encoding="utf-8")
    done = run_python(script, cwd=tmp_path, environment={"MPLBACKEND": "agg"})
    assert done.returncode == 0, done.stderr
