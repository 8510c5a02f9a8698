"""How a checkpoint names a network's class, wherever that was defined."""

import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from jsonargparse import ArgumentParser
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from genre.config import factory_class, factory_config, from_config
from genre.errors import GenreError
from genre.models import SpectralCNN
from genre.schedules import has_argument

from .processes import run_python

SCRIPT = """
import sys
import pytorch_lightning as pl
from torch import nn
import genre
from genre.data import Folder, MelSpectrogram, StratifiedSplit


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.head(x.mean((1, 3)))


if __name__ == "__main__":
    features = MelSpectrogram(n_mels=32, n_fft=512)
    data = Folder(sys.argv[1], features, StratifiedSplit(), segment_seconds=0.5, num_workers=0)
    trainer = pl.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                         enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(genre.GenreClassifier(Net, data.genres), datamodule=data)
    trainer.save_checkpoint("net.ckpt")
    print("itself:", genre.load("net.ckpt").predict(sys.argv[2]).genre)
"""


def run(folder: Path, *arguments: str | Path) -> str:
    """What a process of its own prints; -P: without the current folder among the places of modules, as ``genre`` has it."""
    done = run_python("-P", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_network_of_a_script(folder: Path, tmp_path: Path) -> None:
    """The script loads its own checkpoint, and so does the command line once it has imported the script."""
    (tmp_path / "my_net.py").write_text(SCRIPT)
    song = next(folder.rglob("*.wav"))
    named = run(tmp_path, "my_net.py", folder, song).strip().removeprefix("itself: ")
    assert named in ("genre0", "genre1", "genre2")
    command = ("-m", "genre", "predict", "--import", "my_net", "--ckpt_path", "net.ckpt", "--format=csv", song)
    assert run(tmp_path, *command).splitlines()[1].startswith(f"{song},{named},")


@pytest.mark.parametrize("path", ["genre.models.resnet.ResNet19", "genre.models.future.Net", "genre.future.a.Net"])
def test_class_of_another_version(path: str) -> None:
    with pytest.raises(GenreError, match=rf"class {path}, which genre \S+ does not have; install the version that"):
        from_config({"class_path": path, "init_args": {}}, nn.Module, 3)


class Holder:
    def __init__(
        self, network: Callable[[int], nn.Module], scheduler: Callable[[Optimizer], LRScheduler] | None = None
    ) -> None:
        self.network, self.scheduler = network, scheduler


def test_factories_of_the_command_line() -> None:
    """jsonargparse gives no class, but a partial that makes one; see :func:`genre.config.factory_class`."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Holder, "model")
    options = {
        "network": {"class_path": "genre.models.SpectralCNN", "init_args": {"dropout": 0.25}},
        "scheduler": {"class_path": "torch.optim.lr_scheduler.OneCycleLR", "init_args": {"max_lr": 0.1}},
    }
    holder = parser.instantiate_classes(parser.parse_object({"model": options})).model
    assert factory_class(holder.network) is SpectralCNN
    config = factory_config(holder.network)
    assert config is not None
    assert config["class_path"] == "genre.models.SpectralCNN"
    assert config["init_args"]["dropout"] == 0.25
    assert type(from_config(config, nn.Module, 3)) is SpectralCNN
    assert has_argument(holder.scheduler, "total_steps")
    assert not has_argument(holder.scheduler, "patience")


def test_factories_of_python() -> None:
    assert factory_config(SpectralCNN) == {"class_path": "genre.models.SpectralCNN", "init_args": {}}
    config = factory_config(partial(SpectralCNN, dropout=0.25))
    assert config == {"class_path": "genre.models.SpectralCNN", "init_args": {"dropout": 0.25}}
    assert factory_config(lambda genres: SpectralCNN(genres)) is None


class TestMain:
    """What is defined in the program itself, be it a script, a module run by ``-m``, or a notebook."""

    @pytest.fixture
    def main(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = ModuleType("__main__")
        exec(
            "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self, n): super().__init__(1, n)",
            vars(module),
        )
        monkeypatch.setitem(sys.modules, "__main__", module)
        return module

    @pytest.mark.parametrize(
        ("file", "name"),
        [("/home/me/train_net.py", "train_net"), ("net", "net"), ("my-net.py", "__main__"), (None, "__main__")],
    )
    def test_file(self, main: ModuleType, file: str | None, name: str) -> None:
        if file is not None:
            main.__file__ = file
        spec = factory_config(main.Net)
        assert spec == {"class_path": f"{name}.Net", "init_args": {}}
        assert type(from_config(spec, nn.Module, 3)) is main.Net
        assert name == "__main__" or name not in sys.modules

    def test_run_by_its_name(self, main: ModuleType) -> None:
        main.__file__ = "/home/me/package/train_net.py"
        main.__spec__ = ModuleSpec("package.train_net", None)
        spec = factory_config(main.Net)
        assert spec == {"class_path": "package.train_net.Net", "init_args": {}}
        assert type(from_config(spec, nn.Module, 3)) is main.Net

    def test_another_module_of_that_name_is_not_the_program(self, main: ModuleType) -> None:
        main.__file__ = "train_net.py"
        with pytest.raises(GenreError, match="genre predict --import other_net, in the folder where it lies or with"):
            from_config({"class_path": "other_net.Net", "init_args": {}}, nn.Module, 3)

    @pytest.mark.parametrize("path", ["__main__.Lost", "my_net.main.<locals>.Lost"])
    def test_class_of_a_notebook_or_a_function(self, main: ModuleType, path: str) -> None:
        with pytest.raises(
            GenreError, match=f"class {path}, .* pass network= to genre.load, or train with a class that"
        ):
            from_config({"class_path": path, "init_args": {}}, nn.Module, 3)

    def test_class_that_the_script_has_lost(self, main: ModuleType) -> None:
        main.__file__ = "/home/me/train_net.py"
        with pytest.raises(
            GenreError, match=r"names train_net\.Lost where a Module class .* is /home/me/train_net\.py$"
        ):
            from_config({"class_path": "train_net.Lost", "init_args": {}}, nn.Module, 3)
