"""Saves a run's configuration as ``config.yaml`` when the run begins."""

import pydoc
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from jsonargparse import Namespace
from pytorch_lightning.cli import SaveConfigCallback

from genre.cli.classes import parameters
from genre.report.folder import write_whole

#: The scalar types that YAML can hold.
PLAIN = (type(None), bool, int, float, str)


class SaveConfig(SaveConfigCallback):
    """Saves the configuration once the checkpoint, including its optimiser's state, is loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **(kwargs | {"save_to_log_dir": False}))
        self._folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Does nothing: the checkpoint is not loaded yet."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._save(trainer, pl_module, "fit")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        self._save(trainer, pl_module, "test")

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Writes ``config.yaml``, only in the first process."""
        text = self.parser.dump(self.config, skip_unset=False)
        header = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("#"))
        config = with_strings(yaml.safe_load(text), self.config)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / self.config_filename, header + dump(config))

    def _save(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # it writes no files
            return
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)  # log_dir synchronizes all processes
        super().setup(trainer, pl_module, stage)


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
