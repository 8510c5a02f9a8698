"""The folder of a run, ``<runs_dir>/<name>/version_N``, and the configuration that it keeps as ``config.yaml``."""

import contextlib
import pydoc
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import Namespace
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.cli import LightningArgumentParser

from genre.cli.classes import parameters
from genre.report.folder import write_whole

#: The words that Lightning accepts in place of a checkpoint's path.
KEYWORDS = ("best", "last", "hpc")

#: The scalar types that YAML can hold.
PLAIN = (type(None), bool, int, float, str)


def last_version(parent: Path) -> Path | None:
    """The folder of the version with the highest number, if there is one."""
    taken = [path for path in parent.glob("version_*") if path.name[8:].isdecimal()]
    return max(taken, key=lambda path: int(path.name[8:]), default=None)


def next_version(parent: Path) -> Path:
    """The folder of a new version, numbered after the highest existing one."""
    last = last_version(parent)
    return parent / f"version_{0 if last is None else int(last.name[8:]) + 1}"


def claim(folder: Path) -> Path:
    """Makes the folder of a new version; takes a later number if another fit has just made this folder."""
    while True:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            folder = next_version(folder.parent)
        else:
            return folder


def discard_unbegun(folder: Path) -> None:
    """Removes the folder of a fit that failed before its first step, and the file that a logger has begun there."""
    if not (folder / "config.yaml").exists():
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        with contextlib.suppress(OSError):  # the folder does not exist, or holds other files
            folder.rmdir()
            folder.parent.rmdir()


def folder_of(checkpoint: str | None) -> Path | None:
    """The folder of the run that wrote a checkpoint, if the checkpoint is still in it."""
    if checkpoint is None or checkpoint in KEYWORDS:
        return None
    folder = Path(checkpoint).resolve().parent.parent
    return folder if (folder / "config.yaml").is_file() else None


class SaveConfig(Callback):
    """Saves the configuration once the checkpoint, including its optimiser's state, is loaded."""

    def __init__(self, parser: LightningArgumentParser, config: Namespace) -> None:
        self.parser, self.config, self.saved = parser, config, False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes ``config.yaml`` in the first process."""
        if self.saved or trainer.fast_dev_run:  # type: ignore[attr-defined]  # which writes no files
            return
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # log_dir synchronizes all processes
        self.saved = True
        if trainer.is_global_zero:
            text = self.parser.dump(self.config, skip_unset=False)
            header = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
            config = with_strings(yaml.safe_load(text), self.config)
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "config.yaml", header + dump(config))

    on_test_start = on_train_start


def drop_objects(config: Any) -> None:
    """Removes default values that YAML cannot hold, such as ``torch.device("cpu")``; a class applies them by itself."""
    if isinstance(config, (list, tuple)):
        for value in config:
            drop_objects(value)
    elif isinstance(config, (Namespace, dict)):
        cls = pydoc.locate(str(config.get("class_path")))
        arguments = config.get("init_args")
        if isinstance(cls, type) and isinstance(arguments, Namespace):
            given = parameters(cls)
            for name, value in list(vars(arguments).items()):
                if name in given and not _is_plain(value) and repr(value) == repr(given[name].default):
                    del arguments[name]
        for value in list((vars(config) if isinstance(config, Namespace) else config).values()):
            drop_objects(value)


def with_strings(dumped: Any, config: Any) -> Any:
    """Restores strings that the parser's output has changed, such as those of options that also take a function."""
    if isinstance(dumped, dict) and isinstance(config, (Namespace, dict)):
        return {name: with_strings(value, config.get(name)) for name, value in dumped.items()}
    if isinstance(dumped, list) and isinstance(config, (list, tuple)) and len(dumped) == len(config):
        return [with_strings(*pair) for pair in zip(dumped, config, strict=True)]
    return config if type(config) is str and isinstance(dumped, str) else dumped


def dump(config: Any) -> str:
    """Writes plain data as YAML, and quotes strings that a reader could take for a number, such as ``1e3``."""
    return str(yaml.dump(config, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    def represent_string(self, text: str) -> yaml.ScalarNode:
        style = "'" if text[:1] in "+-." or text[:1].isdigit() else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.represent_string)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return type(value) in PLAIN or isinstance(value, (Path, Namespace))
