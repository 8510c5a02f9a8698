"""The verbs' options come from their functions: each default and each help text stands once."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from genre.cli.main import build_parser
from genre.cli.options import import_modules
from genre.cli.verbs import VERBS
from genre.errors import GenreError
from tests.conftest import run_cli

#: Every verb with the arguments that it cannot do without, and what its function gets.
MINIMAL = {
    "predict": (["a.wav", "b"], {"paths": [Path("a.wav"), Path("b")]}),
    "embed": (["net", "a.wav", "--out=e.npz"], {"network": "net", "paths": [Path("a.wav")], "out": Path("e.npz")}),
    "export": (["a", "b", "--format=hub"], {"checkpoint": Path("a"), "out": Path("b"), "format": "hub"}),
    "benchmark": (["plan.yaml"], {"plan": Path("plan.yaml")}),
    "compare": (["a", "b", "c"], {"first": Path("a"), "others": [Path("b"), Path("c")]}),
    "ensemble": (["a", "b"], {"checkpoints": [Path("a"), Path("b")]}),
    "figures": ([], {}),
    "audit": (["music"], {"root": Path("music")}),
    "serve": (["a.ckpt"], {"checkpoint": Path("a.ckpt")}),
    "download": (["ballroom", "--root=music"], {"name": "ballroom", "root": Path("music")}),
    "recipes": ([], {"folder": None}),
    "explain": (
        ["a.ckpt", "a.wav", "--out=a.png"],
        {"checkpoint": Path("a.ckpt"), "file": Path("a.wav"), "out": Path("a.png")},
    ),
}


@pytest.mark.parametrize("verb", MINIMAL)
def test_the_defaults_are_those_of_the_function(verb: str) -> None:
    arguments, expected = MINIMAL[verb]
    assert vars(build_parser().parse_args([verb, *arguments])) == expected
    inspect.signature(VERBS[verb]).bind(**expected, **({"fit_options": []} if verb in TAKE_FIT_OPTIONS else {}))


TAKE_FIT_OPTIONS = ("benchmark", "ensemble", "export", "figures")


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_every_option_and_loads_no_torch(verb: str) -> None:
    code = f"import sys; from genre.cli import main\ntry: main([{verb!r}, '--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert text.startswith(f"usage: genre {verb} ")
    for name, parameter in inspect.signature(VERBS[verb]).parameters.items():
        if name != "fit_options" and parameter.kind is parameter.KEYWORD_ONLY:
            assert f"--{name.rstrip('_')}" in text
    assert ("Any option of `genre fit` may follow." in text) is (verb in TAKE_FIT_OPTIONS)
    assert ("--import MODULE" in text) is (verb not in ("compare", "audit", "download", "recipes"))
    defaults = {
        "predict": 5,
        "embed": 1,
        "benchmark": 2,
        "ensemble": 1,
        "figures": 2,
        "audit": 5,
        "serve": 4,
        "explain": 2,
    }
    assert text.count("(default: ") == defaults.get(verb, 0)


def test_options_with_several_values() -> None:
    parse = build_parser().parse_args
    options = vars(parse(["benchmark", "--epochs", "5", "10", "--seeds", "0", "1", "--import", "m", "plan.yaml"]))
    assert options == {"plan": Path("plan.yaml"), "epochs": [5, 10], "seeds": [0, 1], "import_": ["m"]}
    options = vars(
        parse(["predict", "--ckpt_path", "a", "--ckpt_path=b", "--import=m", "--import=n", "x.wav", "--segments=3"])
    )
    assert options == {
        "paths": [Path("x.wav")], "ckpt_path": [Path("a"), Path("b")], "import_": ["m", "n"], "segments": 3,
    }  # fmt: skip
    assert vars(parse(["embed", "a", "--with", "b", "--with=c", "x", "--out", "e.npz"]))["with_"] == ["b", "c"]
    assert vars(parse(["benchmark", "plan.yaml", "--resume"])) == {"plan": Path("plan.yaml"), "resume": True}


MISTAKES = {
    "no path": (["predict"], "genre predict: error: the following arguments are required: PATH"),
    "no out": (["embed", "a", "b"], "genre embed: error: the following arguments are required: --out"),
    "verb": (["predct", "a"], "genre: error: no verb named predct; did you mean predict?; see genre --help"),
    "verb like no other": (["xyz"], "genre: error: no verb named xyz; see genre --help"),
    "option of no verb": (["--colour"], "genre: error: the following arguments are required: VERB [OPTION]"),
    "choice": (["predict", "a", "--format=xml"], "genre predict: error: argument --format: invalid choice: 'xml'"),
    "abbreviation": (["audit", "music", "--short=2"], "genre audit: error: unrecognized arguments: --short=2; did you mean --shortest?"),
    "no number": (["audit", "music", "--shortest=x"], "genre audit: error: argument --shortest: invalid float value: 'x'"),
    "one run": (["compare", "a"], "genre compare: error: the following arguments are required: RUN"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bad_command_is_one_line(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = MISTAKES[mistake]
    assert run_cli(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


NOWHERE = {
    "predict": ["--ckpt_path=/nowhere.ckpt", "a.wav"],
    "embed": ["/nowhere.ckpt", "a.wav", "--out=e.npz"],
    "benchmark": ["/nowhere.yaml"],
    "compare": ["/nowhere", "/nowhere"],
    "ensemble": ["/nowhere.ckpt", "/nowhere.ckpt"],
    "figures": ["--runs", "/nowhere"],
    "audit": ["/nowhere"],
    "serve": ["/nowhere.ckpt"],
}


@pytest.mark.parametrize("verb", NOWHERE)
def test_a_wrong_path_is_one_line(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(verb, *NOWHERE[verb]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("genre: error: /nowhere")


def test_import_of_a_module_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours, too; without a module, the search path stays as it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (tmp_path / "neighbour_of_a_test.py").write_text("VALUE = 5\n")
    (tmp_path / "module_of_a_test.py").write_text("from neighbour_of_a_test import VALUE\n")
    import_modules([])
    assert "" not in sys.path
    import_modules(["module_of_a_test"])
    assert sys.modules["module_of_a_test"].VALUE == 5
    with pytest.raises(GenreError, match="--import nowhere_of_a_test: No module named 'nowhere_of_a_test'"):
        import_modules(["nowhere_of_a_test"])


def test_figures_of_a_data_set_of_ones_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_of_a_test.py").write_text("from genre.data import Folder\n\n\nclass Mine(Folder):\n    pass\n")
    (tmp_path / "recipe.yaml").write_text(
        f"model: {{network: genre.models.SpectralCNN}}\ndata:\n  class_path: data_of_a_test.Mine\n  init_args:\n"
        f"    root: {folder}\n    features: genre.audio.MelSpectrogram\n    split: genre.data.StratifiedSplit\n"
    )
    options = ("--config=recipe.yaml", "--track=/nowhere.wav")  # refused after the data was read
    for modules in ((), ("--import", "data_of_a_test")):
        assert run_cli("figures", *modules, *options) == 1
        assert "/nowhere.wav" in capsys.readouterr().err
