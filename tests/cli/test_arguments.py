"""What the command line makes of arguments before they are parsed: short names, lists, learning rates, own modules."""

from pathlib import Path

import pytest

from genre.cli.arguments import load_yaml, prepare, split
from genre.cli.recipe import read_recipe

from ..conftest import QUICK
from ..processes import run_python

OWN_NETWORK = """
from torch import nn
class AttnNet(nn.Module):
    def __init__(self, num_classes, width=2):
        super().__init__()
        self.width = width
        self.head = nn.Linear(width, num_classes)
    def forward(self, inputs):
        return self.head(inputs.mean((1, 3))[:, : self.width])
"""


def test_options_and_values() -> None:
    given = ["-c", "a.yaml", "--x=1", "--y", "-1", "--flag", "--z", "2"]
    assert list(split(given)) == [("--config", "a.yaml"), ("--x", "1"), ("--y", "-1"), ("--flag", None), ("--z", "2")]


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_own_classes_come_first(verb: str) -> None:
    given = ["--data.augment_spectrogram+", "SpecAugment", "--model.network", "ResNet18", "--name", "ResNet18"]
    assert prepare(verb, given) == [
        "--data.augment_spectrogram+=genre.audio.SpecAugment",
        "--model.network=genre.models.ResNet18",
        "--name=ResNet18",
    ]
    assert prepare(verb, ["--model.network", "torchvision.models.ResNet"]) == [
        "--model.network=torchvision.models.ResNet"
    ]


def test_a_single_item_is_a_list() -> None:
    assert prepare("fit", ["--data.augment_spectrogram=SpecAugment"]) == [
        "--data.augment_spectrogram=[genre.audio.SpecAugment]"
    ]
    assert prepare(
        "fit", ["--data.augment_spectrogram", "[{class_path: SpecAugment, init_args: {time_masks: 1}}]"]
    ) == ["--data.augment_spectrogram=[{class_path: genre.audio.SpecAugment, init_args: {time_masks: 1}}]"]
    assert prepare("fit", ["--data.augment_waveform=[Gain, mine.Echo]", "--data.augment_spectrogram=[]"]) == [
        "--data.augment_waveform=[genre.audio.Gain, mine.Echo]",
        "--data.augment_spectrogram=[]",
    ]
    assert prepare("fit", ["--data.augment_waveform=[Gain"]) == ["--data.augment_waveform=[Gain"]
    text = (
        "data: {class_path: GTZAN, init_args: {augment_waveform: Gain, augment_spectrogram: {class_path: SpecAugment}}}"
    )
    assert load_yaml(text) == {
        "data": {
            "class_path": "genre.data.GTZAN",
            "init_args": {
                "augment_waveform": ["genre.audio.Gain"],
                "augment_spectrogram": [{"class_path": "genre.audio.SpecAugment"}],
            },
        }
    }
    assert load_yaml("data: {init_args: {augment_waveform: null}}") == {
        "data": {"init_args": {"augment_waveform": None}}
    }


def test_a_rate_of_no_optimizer_is_that_of_the_default(tmp_path: Path) -> None:
    assert prepare("fit", ["--model.optimizer.lr", "0.1"]) == [
        "--model.optimizer=torch.optim.AdamW",
        "--model.optimizer.lr=0.1",
    ]
    assert prepare("fit", ["--model.optimizer=SGD", "--model.optimizer.lr=0.1"])[0] == "--model.optimizer=SGD"
    (tmp_path / "mine.yaml").write_text("model: {optimizer: {class_path: torch.optim.SGD}}")
    given = ["--config", str(tmp_path / "mine.yaml"), "--model.optimizer.lr", "0.1"]
    assert prepare("fit", given) == [f"--config={tmp_path / 'mine.yaml'}", "--model.optimizer.lr=0.1"]


@pytest.mark.parametrize("given", ["SpecAugment", "[SpecAugment]"])
def test_augmentation_by_short_name_with_an_argument(given: str, folder: Path, tmp_path: Path) -> None:
    options = (*QUICK, f"--data.root={folder}", f"--runs_dir={tmp_path}")
    recipe = read_recipe([*options, "--data.augment_spectrogram", given, "--data.augment_waveform+", "Gain"])
    names = [f"{type(item).__module__}.{type(item).__name__}" for item in recipe.data.augment_spectrogram]
    assert names == ["genre.audio.augment.SpecAugment"]
    assert [type(item).__name__ for item in recipe.data.augment_waveform] == ["Gain"]


@pytest.mark.parametrize("how", ["full name", "import"])
def test_a_class_of_ones_own_in_the_current_folder(how: str, folder: Path, tmp_path: Path) -> None:
    """With the isolated path of a console script, which does not look for modules in the current folder."""
    (tmp_path / "attnet.py").write_text(OWN_NETWORK)
    network = {"full name": ["--model.network", "attnet.AttnNet"],
               "import": ["--import", "attnet", "--model.network", "AttnNet"]}[how]  # fmt: skip
    options = [*QUICK[1:], f"--data.root={folder}", f"--runs_dir={tmp_path}", *network, "--model.network.width=3"]
    script = tmp_path / "elsewhere" / "read.py"
    script.parent.mkdir()
    script.write_text(
        f"import sys\nfrom genre.cli.recipe import read_recipe\nread_recipe({options!r})\n"
        "print(sys.modules['attnet'].AttnNet(3).width)"
    )
    done = run_python("-P", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2"
